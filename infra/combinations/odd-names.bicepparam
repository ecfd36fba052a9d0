// The longest and oddest environment name that azd allows, in an existing resource group.
using '../main.bicep'

param environmentName = 'A-very_long.Environment(Name)-with-everything-that-azd-allows-64'
param location = 'West Europe'

param createResourceGroup = false
param resourceGroupName = 'Security (Collectors)_1.x'
param tags = {
  'cost-center': '4711'
  owner: 'O\'Neill & Søn'
}

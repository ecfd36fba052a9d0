// A name as long and as odd as azd allows, in a resource group that is there.
using '../main.bicep'

param environmentName = 'A-very_long.Environment(Name)-with-everything-that-azd-allows-64'
param location = 'West Europe'
param apiUrl = 'contoso.eu2.portal.cloudappsecurity.com/api/v1/'
param alertEmail = 'security@contoso.com'

param createResourceGroup = false
param resourceGroupName = 'Security (Collectors)_1.x'
param tags = {
  'cost-center': '4711'
  owner: 'O\'Neill & Søn'
}

// Those of the cloud that is deployed to, which a prediction cannot ask.
param storageSuffix = 'core.windows.net'
param vaultSuffix = '.vault.azure.net'

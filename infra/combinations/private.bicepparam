// Storage and vault in a network that is made for them; the app answers nobody.
using '../main.bicep'

param environmentName = 'contoso'
param location = 'westeurope'
param apiUrl = 'https://contoso.eu2.portal.cloudappsecurity.com'
param alertEmail = 'security@contoso.com'

param networkIsolation = true

// Those of the cloud that is deployed to, which a prediction cannot ask.
param storageSuffix = 'core.windows.net'
param vaultSuffix = '.vault.azure.net'

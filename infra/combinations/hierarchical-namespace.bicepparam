// Directories, as some readers need them; no versions.
using '../main.bicep'

param environmentName = 'contoso'
param location = 'westeurope'
param apiUrl = 'https://contoso.eu2.portal.cloudappsecurity.com'
param alertEmail = 'security@contoso.com'

param hierarchicalNamespace = true
param deleteAfterDays = 180

// Those of the cloud that is deployed to, which a prediction cannot ask.
param storageSuffix = 'core.windows.net'
param vaultSuffix = '.vault.azure.net'

// The same after somebody has locked the policies.
using '../main.bicep'

param environmentName = 'contoso'
param location = 'westeurope'
param apiUrl = 'https://contoso.eu2.portal.cloudappsecurity.com'
param alertEmail = 'security@contoso.com'

param coolAfterDays = 30
param coldAfterDays = 90
param deleteAfterDays = 400
param immutabilityDays = 365
param deleteLock = true
param notifications = true
param immutabilityLocked = true

// Those of the cloud that is deployed to, which a prediction cannot ask.
param storageSuffix = 'core.windows.net'
param vaultSuffix = '.vault.azure.net'

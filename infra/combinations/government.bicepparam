// A cloud with domains of its own.
using '../main.bicep'

param location = 'usgovvirginia'

param networkIsolation = true
param authMode = 'client-secret'
param mdaTenantId = '00000000-0000-0000-0000-00000000000c'
param mdaClientId = '00000000-0000-0000-0000-00000000000d'
param deployerId = '00000000-0000-0000-0000-00000000000b'

// Those of the cloud that is deployed to, which a prediction cannot ask.
param storageSuffix = 'core.usgovcloudapi.net'
param vaultSuffix = '.vault.usgovcloudapi.net'
param loginEndpoint = 'https://login.microsoftonline.us/'

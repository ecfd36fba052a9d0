// The US Government cloud, which has its own domains.
using '../main.bicep'

param location = 'usgovvirginia'

param networkIsolation = true
param authMode = 'client-secret'
param mdaTenantId = '00000000-0000-0000-0000-00000000000c'
param mdaClientId = '00000000-0000-0000-0000-00000000000d'
param deployerId = '00000000-0000-0000-0000-00000000000b'

// A prediction cannot ask the cloud for these, so they are given.
param storageSuffix = 'core.usgovcloudapi.net'
param vaultSuffix = '.vault.usgovcloudapi.net'
param loginEndpoint = 'https://login.microsoftonline.us/'

// An app registration with a secret, and who may set it.
using '../main.bicep'

param environmentName = 'contoso'
param location = 'westeurope'
param apiUrl = 'https://contoso.eu2.portal.cloudappsecurity.com'
param alertEmail = 'security@contoso.com'

param authMode = 'client-secret'
param mdaTenantId = '00000000-0000-0000-0000-00000000000c'
param mdaClientId = '00000000-0000-0000-0000-00000000000d'
param vaultAdministrators = [
  {
    principalId: '00000000-0000-0000-0000-00000000000b'
    principalType: 'User'
  }
]

// Those of the cloud that is deployed to, which a prediction cannot ask.
param storageSuffix = 'core.windows.net'
param vaultSuffix = '.vault.azure.net'

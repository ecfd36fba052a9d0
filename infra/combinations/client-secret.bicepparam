// An app registration with a secret, and who may set it.
using '../main.bicep'

param authMode = 'client-secret'
param mdaTenantId = '00000000-0000-0000-0000-00000000000c'
param mdaClientId = '00000000-0000-0000-0000-00000000000d'
param vaultAdministrators = [
  {
    principalId: '00000000-0000-0000-0000-00000000000b'
    principalType: 'User'
  }
]

// Sign-in as an app registration with a secret, which a named administrator sets.
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

// Sign-in as an app registration that trusts the identity, without a secret.
using '../main.bicep'

param authMode = 'federated'
param mdaTenantId = '00000000-0000-0000-0000-00000000000c'
param mdaClientId = '00000000-0000-0000-0000-00000000000d'

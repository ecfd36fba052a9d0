// An app registration that trusts the identity: no secret.
using '../main.bicep'

param authMode = 'federated'
param mdaTenantId = '00000000-0000-0000-0000-00000000000c'
param mdaClientId = '00000000-0000-0000-0000-00000000000d'

// Sign-in with a legacy API token, in a vault where the deployer may set it.
using '../main.bicep'

param authMode = 'api-token'
param deployerId = '00000000-0000-0000-0000-00000000000b'

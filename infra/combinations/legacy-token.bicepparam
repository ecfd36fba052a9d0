// A legacy API token, in a vault that who deploys may fill.
using '../main.bicep'

param authMode = 'api-token'
param deployerId = '00000000-0000-0000-0000-00000000000b'

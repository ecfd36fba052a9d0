// Readers of the data, with the deployer among them.
using '../main.bicep'

param deployerId = '00000000-0000-0000-0000-00000000000a'
param deployerType = 'Group'
param readers = [
  {
    principalId: '00000000-0000-0000-0000-00000000000a'
    principalType: 'Group'
  }
]

// People and programs that may read; who deploys is one of them.
using '../main.bicep'

param deployerId = '00000000-0000-0000-0000-00000000000a'
param deployerType = 'Group'
param readers = [
  {
    principalId: '00000000-0000-0000-0000-00000000000a'
    principalType: 'Group'
  }
]

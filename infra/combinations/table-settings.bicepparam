// The table with everything about it changed, in a private network, beside parts with rules and policies.
using '../main.bicep'

param table = true
param tableFunctionAppName = 'contoso-table'
param tableContainer = 'warehouse'
param tableSchedule = '0 0 * * * *'
param tableTimeBudget = '9m'
param tableDeleteAfterDays = 400
param tableBehindMinutes = 240
param tableNoRunMinutes = 180
param networkIsolation = true
param coolAfterDays = 30
param deleteAfterDays = 400
param immutabilityDays = 365
param readers = [
  {
    principalId: '00000000-0000-0000-0000-00000000000a'
    principalType: 'Group'
  }
]
param scans = [
  {
    name: 'sign-ins'
  }
  {
    name: 'exchange'
  }
]

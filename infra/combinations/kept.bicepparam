// Tiers, expiry, an immutability policy, a delete lock and notifications.
using '../main.bicep'

param coolAfterDays = 30
param coldAfterDays = 90
param deleteAfterDays = 400
param immutabilityDays = 365
param deleteLock = true
param notifications = true
param readers = [
  {
    principalId: '00000000-0000-0000-0000-00000000000a'
    principalType: 'Group'
  }
]

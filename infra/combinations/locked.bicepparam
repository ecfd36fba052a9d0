// The combination `kept` after somebody has locked the immutability policies.
using '../main.bicep'

param coolAfterDays = 30
param coldAfterDays = 90
param deleteAfterDays = 400
param immutabilityDays = 365
param deleteLock = true
param notifications = true
param immutabilityLocked = true

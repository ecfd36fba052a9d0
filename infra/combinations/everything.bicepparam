// Every option that can be combined with the others.
using '../main.bicep'

param networkIsolation = true
param fixedOutboundAddress = true
param authMode = 'client-secret'
param mdaTenantId = '00000000-0000-0000-0000-00000000000c'
param mdaClientId = '00000000-0000-0000-0000-00000000000d'
param vaultAdministrators = [
  {
    principalId: '00000000-0000-0000-0000-00000000000b'
    principalType: 'User'
  }
]
param deployerId = '00000000-0000-0000-0000-00000000000B'
param deployerType = 'Group'
param coolAfterDays = 30
param coldAfterDays = 90
param deleteAfterDays = 400
param immutabilityDays = 365
param deleteLock = true
param notifications = true
param notificationSchema = 'CloudEventSchemaV1_0'
param notificationQueues = [
  {
    name: 'sentinel'
    principalId: '00000000-0000-0000-0000-00000000000e'
    principalType: 'ServicePrincipal'
  }
  {
    name: 'lake'
  }
]
param readers = [
  {
    principalId: '00000000-0000-0000-0000-00000000000a'
    principalType: 'Group'
  }
]
param hierarchicalNamespace = true
param storageRedundancy = 'Standard_GZRS'
param recoveryDays = 30
param diagnosticsDays = 30
param instanceMemoryMB = 2048
param maximumInstanceCount = 1
param updateStrategy = 'RollingUpdate'
param functionAppName = 'contoso-activities'
param storageAccountName = 'contosoactivities'
param telemetryDays = 90
param telemetryDailyCapGb = -1
param noRunMinutes = 60
param lagMinutes = 120
param doubtMinutes = 10
param throttledPercent = 30
param alertsEnabled = false
param scans = [
  {
    name: 'all'
  }
  {
    name: 'exchange'
    filters: {
      service: {
        eq: [
          20893
        ]
      }
    }
  }
]

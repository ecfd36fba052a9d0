// Storage of what is collected: parts, manifests and the scan's state, in one account of their own.
// docs/formats.md says what each container holds.

targetScope = 'resourceGroup'

@description('Region of the account.')
param location string

@description('Tags of the account.')
param tags object

@description('Name of the account.')
@minLength(3)
@maxLength(24)
param accountName string

@description('How many copies there are, and where.')
param redundancy string

@description('Whether the account has directories (Data Lake Storage). It can only be chosen when the account is made.')
param hierarchicalNamespace bool

@description('Whether only private endpoints reach it.')
param private bool

@description('Whether Event Grid has to reach a queue in it.')
param notified bool

@description('Container of parts.')
param dataContainer string

@description('Container of manifests.')
param manifestContainer string

@description('Container of ledger, run log and quarantine.')
param stateContainer string

@description('Names of the scans, whose run logs and quarantine expire.')
param scanNames array

@description('Days that a deleted or overwritten blob can be brought back.')
@minValue(1)
@maxValue(365)
param recoveryDays int

@description('Days that run logs and quarantined answers are kept.')
@minValue(1)
param diagnosticsDays int

@description('Days after which parts move to the cool tier; 0 for never.')
@minValue(0)
param coolAfterDays int

@description('Days after which parts move to the cold tier; 0 for never.')
@minValue(0)
param coldAfterDays int

@description('Days after which parts are deleted; 0 for never.')
@minValue(0)
param deleteAfterDays int

@description('Days during which nobody can change or delete a part or a manifest; 0 for no such policy.')
@minValue(0)
@maxValue(146000)
param immutabilityDays int

@description('Whether the policies were locked, so that they cannot be written any more.')
param immutabilityLocked bool

@description('Whether a lock keeps the account from being deleted.')
param deleteLock bool

// Event Grid comes from outside the network: it passes the firewall as a trusted service, and only
// where public access is not switched off altogether. Everybody else is denied all the same.
var closed = private && !notified

// An account with directories has no versions. There a lost ledger is rebuilt from the manifests.
var versioned = !hierarchicalNamespace

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: accountName
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: redundancy
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    isHnsEnabled: hierarchicalNamespace
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: closed ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: closed ? 'None' : 'AzureServices'
      defaultAction: private ? 'Deny' : 'Allow'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    isVersioningEnabled: versioned
    deleteRetentionPolicy: {
      enabled: true
      days: recoveryDays
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: recoveryDays
    }
  }
}

resource data 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobs
  name: dataContainer
  properties: {
    publicAccess: 'None'
  }
}

resource manifests 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobs
  name: manifestContainer
  properties: {
    publicAccess: 'None'
  }
}

resource state 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobs
  name: stateContainer
  properties: {
    publicAccess: 'None'
  }
}

// Never on the state, which is overwritten all the time. A policy that was locked belongs to the
// account's owners from then on: this template could not write it again.
resource dataPolicy 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2025-06-01' = if (immutabilityDays > 0 && !immutabilityLocked) {
  parent: data
  name: 'default'
  properties: {
    immutabilityPeriodSinceCreationInDays: immutabilityDays
    allowProtectedAppendWrites: false
  }
}

resource manifestPolicy 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2025-06-01' = if (immutabilityDays > 0 && !immutabilityLocked) {
  parent: manifests
  name: 'default'
  properties: {
    immutabilityPeriodSinceCreationInDays: immutabilityDays
    allowProtectedAppendWrites: false
  }
}

// The ledger is saved several times a run, and each save leaves a version.
var versionRule = {
  name: 'remove-old-versions-of-state'
  enabled: true
  type: 'Lifecycle'
  definition: {
    filters: {
      blobTypes: [
        'blockBlob'
        'appendBlob'
      ]
      prefixMatch: [
        '${stateContainer}/'
      ]
    }
    actions: {
      version: {
        delete: {
          daysAfterCreationGreaterThan: recoveryDays
        }
      }
    }
  }
}

// The ledger lies beside them, so their folders are named, and those of each scan.
var diagnosticsRules = [
  for scan in scanNames: {
    name: 'expire-diagnostics-of-${scan}'
    enabled: true
    type: 'Lifecycle'
    definition: {
      filters: {
        blobTypes: [
          'blockBlob'
          'appendBlob'
        ]
        prefixMatch: [
          '${stateContainer}/scan=${scan}/runs/'
          '${stateContainer}/scan=${scan}/quarantine/'
        ]
      }
      actions: {
        baseBlob: {
          delete: {
            daysAfterModificationGreaterThan: diagnosticsDays
          }
        }
      }
    }
  }
]

var coolAction = {
  tierToCool: {
    daysAfterModificationGreaterThan: coolAfterDays
  }
}
var coldAction = {
  tierToCold: {
    daysAfterModificationGreaterThan: coldAfterDays
  }
}
var deleteAction = {
  delete: {
    daysAfterModificationGreaterThan: deleteAfterDays
  }
}
var partActions = union(coolAfterDays > 0 ? coolAction : {}, coldAfterDays > 0 ? coldAction : {}, deleteAfterDays > 0 ? deleteAction : {})

var partRule = {
  name: 'age-parts'
  enabled: true
  type: 'Lifecycle'
  definition: {
    filters: {
      blobTypes: [
        'blockBlob'
      ]
      prefixMatch: [
        '${dataContainer}/'
      ]
    }
    actions: {
      baseBlob: partActions
    }
  }
}

// Parts that expire are to be gone: where the account keeps versions, a deletion leaves one.
var removedPartRule = {
  name: 'remove-deleted-parts'
  enabled: true
  type: 'Lifecycle'
  definition: {
    filters: {
      blobTypes: [
        'blockBlob'
      ]
      prefixMatch: [
        '${dataContainer}/'
      ]
    }
    actions: {
      version: {
        delete: {
          daysAfterCreationGreaterThan: deleteAfterDays
        }
      }
    }
  }
}

var stateRules = versioned ? [versionRule] : []
var partRules = empty(partActions) ? [] : [partRule]
var removedPartRules = versioned && deleteAfterDays > 0 ? [removedPartRule] : []

// An account has one such policy, and its name is fixed.
resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: concat(stateRules, diagnosticsRules, partRules, removedPartRules)
    }
  }
  dependsOn: [
    // A rule about versions is refused before there are any.
    blobs
  ]
}

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (deleteLock) {
  scope: account
  name: 'keep-activities'
  properties: {
    level: 'CanNotDelete'
    notes: 'Holds the collected activities, which the API shows for 30 days only. Remove this lock to delete the account.'
  }
}

@description('The blob endpoint.')
output blobEndpoint string = account.properties.primaryEndpoints.blob

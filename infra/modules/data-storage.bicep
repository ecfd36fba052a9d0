// The storage account for the data: parts, manifests and the state of the scans. docs/formats.md
// describes what each container holds.

targetScope = 'resourceGroup'

@description('Region of the account.')
param location string

@description('Tags of the account.')
param tags object

@description('Name of the account.')
@minLength(3)
@maxLength(24)
param accountName string

@description('Redundancy of the account: how many copies of the data there are, and where.')
param redundancy string

@description('Whether the account has a hierarchical namespace (Data Lake Storage). This can only be chosen when the account is created.')
param hierarchicalNamespace bool

@description('Whether the account can be reached through private endpoints only.')
param private bool

@description('Whether Event Grid must be able to reach a queue in the account.')
param notified bool

@description('Container for the parts.')
param dataContainer string

@description('Container for the manifests.')
param manifestContainer string

@description('Container for the ledger, the run logs and the quarantine.')
param stateContainer string

@description('Names of the scans. Their run logs and quarantined answers expire.')
param scanNames array

@description('Days for which a deleted or overwritten blob can be recovered.')
@minValue(1)
@maxValue(365)
param recoveryDays int

@description('Days for which run logs and quarantined answers are kept.')
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

@description('Days during which nobody can change or delete a part or a manifest; 0 for no immutability policy.')
@minValue(0)
@maxValue(146000)
param immutabilityDays int

@description('Whether the immutability policies are locked and can no longer be written.')
param immutabilityLocked bool

@description('Whether a lock protects the account from being deleted.')
param deleteLock bool

// Event Grid connects from outside the network. The firewall lets it through as a trusted service, but only
// if public access is not disabled altogether. Everybody else is denied in either case.
var closed = private && !notified

// An account with a hierarchical namespace has no blob versions. If its ledger is lost, it is rebuilt from
// the manifests.
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

// The state container has no such policy, since the state is overwritten all the time. A locked policy is
// left alone: a deployment cannot write it again.
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

// Each run saves the ledger several times, and each save leaves a version.
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

// The ledger is in the same container, so the rules name the folders of each scan that may expire.
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

// Deleting a part leaves a version where the account keeps versions. This rule removes it, so that an
// expired part is really gone.
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

// An account has one lifecycle policy, with a fixed name.
resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: concat(stateRules, diagnosticsRules, partRules, removedPartRules)
    }
  }
  dependsOn: [
    // The service refuses a rule about versions until versioning is enabled.
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

@description('URL of the account\'s blob service.')
output blobEndpoint string = account.properties.primaryEndpoints.blob

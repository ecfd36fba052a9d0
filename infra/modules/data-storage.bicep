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

@description('Containers for the parts.')
param dataContainers array

@description('Containers for the manifests.')
param manifestContainers array

@description('Containers for ledgers, run logs and quarantines; the first is the app\'s.')
param stateContainers array

@description('Container for the table; empty without one.')
param tableContainer string

@description('Names of scans in the first of the state containers. Their run logs and quarantined answers expire.')
param scanNames array

@description('Further scans whose run logs and quarantined answers expire: objects with name and stateContainer.')
param scansStored array

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

resource data 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = [
  for name in dataContainers: {
    parent: blobs
    name: name
    properties: {
      publicAccess: 'None'
    }
  }
]

resource manifests 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = [
  for name in manifestContainers: {
    parent: blobs
    name: name
    properties: {
      publicAccess: 'None'
    }
  }
]

resource state 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = [
  for name in stateContainers: {
    parent: blobs
    name: name
    properties: {
      publicAccess: 'None'
    }
  }
]

// No immutability policy and no rule that deletes or moves its blobs: the table replaces its own files.
resource table 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = if (!empty(tableContainer)) {
  parent: blobs
  name: empty(tableContainer) ? 'table' : tableContainer
  properties: {
    publicAccess: 'None'
  }
}

// A state container has no such policy, since the state is overwritten all the time. A locked policy is
// left alone: a deployment cannot write it again.
resource dataPolicy 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2025-06-01' = [
  for (name, place) in dataContainers: if (immutabilityDays > 0 && !immutabilityLocked) {
    parent: data[place]
    name: 'default'
    properties: {
      immutabilityPeriodSinceCreationInDays: immutabilityDays
      allowProtectedAppendWrites: false
    }
  }
]

resource manifestPolicy 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2025-06-01' = [
  for (name, place) in manifestContainers: if (immutabilityDays > 0 && !immutabilityLocked) {
    parent: manifests[place]
    name: 'default'
    properties: {
      immutabilityPeriodSinceCreationInDays: immutabilityDays
      allowProtectedAppendWrites: false
    }
  }
]

// A rule has at most ten prefixes, and a policy at most a hundred rules. The first rule of each kind has the
// name that it had before scans could have containers of their own.
var prefixesPerRule = 10
var statePrefixes = [for name in stateContainers: '${name}/']
var dataPrefixes = [for name in dataContainers: '${name}/']
var stateRuleCount = (length(statePrefixes) + prefixesPerRule - 1) / prefixesPerRule
var dataRuleCount = (length(dataPrefixes) + prefixesPerRule - 1) / prefixesPerRule

// Each run saves the ledger several times, and each save leaves a version.
var versionRules = [
  for place in range(0, stateRuleCount): {
    name: place == 0 ? 'remove-old-versions-of-state' : 'remove-old-versions-of-state-${place + 1}'
    enabled: true
    type: 'Lifecycle'
    definition: {
      filters: {
        blobTypes: [
          'blockBlob'
          'appendBlob'
        ]
        prefixMatch: take(skip(statePrefixes, place * prefixesPerRule), prefixesPerRule)
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
]

// The table removes files that it has merged, and each leaves a version, as does each entry of its log. The
// rule touches versions only, never a blob of the table.
var tableVersionRule = {
  name: 'remove-old-versions-of-table'
  enabled: true
  type: 'Lifecycle'
  definition: {
    filters: {
      blobTypes: [
        'blockBlob'
      ]
      prefixMatch: [
        '${tableContainer}/'
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
          '${stateContainers[0]}/scan=${scan}/runs/'
          '${stateContainers[0]}/scan=${scan}/quarantine/'
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

// Scans that the template knows from their containers may be many, so several of them share a rule.
var scansPerRule = 5
var runsOfScans = [for entry in scansStored: '${entry.stateContainer}/scan=${entry.name}/runs/']
var quarantinesOfScans = [for entry in scansStored: '${entry.stateContainer}/scan=${entry.name}/quarantine/']
var sharedDiagnosticsRules = [
  for place in range(0, (length(scansStored) + scansPerRule - 1) / scansPerRule): {
    name: 'expire-diagnostics-${place + 1}'
    enabled: true
    type: 'Lifecycle'
    definition: {
      filters: {
        blobTypes: [
          'blockBlob'
          'appendBlob'
        ]
        prefixMatch: concat(take(skip(runsOfScans, place * scansPerRule), scansPerRule), take(skip(quarantinesOfScans, place * scansPerRule), scansPerRule))
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

var agePartsRules = [
  for place in range(0, dataRuleCount): {
    name: place == 0 ? 'age-parts' : 'age-parts-${place + 1}'
    enabled: true
    type: 'Lifecycle'
    definition: {
      filters: {
        blobTypes: [
          'blockBlob'
        ]
        prefixMatch: take(skip(dataPrefixes, place * prefixesPerRule), prefixesPerRule)
      }
      actions: {
        baseBlob: partActions
      }
    }
  }
]

// Deleting a part leaves a version where the account keeps versions. This rule removes it, so that an
// expired part is really gone.
var deletedPartsRules = [
  for place in range(0, dataRuleCount): {
    name: place == 0 ? 'remove-deleted-parts' : 'remove-deleted-parts-${place + 1}'
    enabled: true
    type: 'Lifecycle'
    definition: {
      filters: {
        blobTypes: [
          'blockBlob'
        ]
        prefixMatch: take(skip(dataPrefixes, place * prefixesPerRule), prefixesPerRule)
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
]

var stateRules = versioned ? versionRules : []
var tableRules = versioned && !empty(tableContainer) ? [tableVersionRule] : []
var partRules = empty(partActions) ? [] : agePartsRules
var removedPartRules = versioned && deleteAfterDays > 0 ? deletedPartsRules : []

// An account has one lifecycle policy, with a fixed name.
resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: concat(stateRules, diagnosticsRules, sharedDiagnosticsRules, partRules, removedPartRules, tableRules)
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

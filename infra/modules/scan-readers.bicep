// Grants the right to read the containers that one scan has to itself.

targetScope = 'resourceGroup'

@description('Name of the storage account for the data.')
param dataAccountName string

@description('Container for the parts of the scan; empty if it is the app\'s.')
param dataContainer string

@description('Container for the manifests of the scan; empty if it is the app\'s.')
param manifestContainer string

@description('Container for the state of the scan; empty if it is the app\'s.')
param stateContainer string

@description('Who may read parts and manifests: objects with principalId and principalType (User, Group or ServicePrincipal).')
param readers array

@description('Who may also read the state: objects with principalId and principalType (User, Group or ServicePrincipal).')
param stateReaders array

var storageBlobDataReader = '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'

resource dataAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: dataAccountName
}

resource dataBlobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' existing = {
  parent: dataAccount
  name: 'default'
}

// A container needs a name even where nothing is granted on it.
resource data 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = {
  parent: dataBlobs
  name: empty(dataContainer) ? 'none' : dataContainer
}

resource manifests 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = {
  parent: dataBlobs
  name: empty(manifestContainer) ? 'none' : manifestContainer
}

resource state 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = {
  parent: dataBlobs
  name: empty(stateContainer) ? 'none' : stateContainer
}

resource readsParts 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for reader in readers: if (!empty(dataContainer)) {
    scope: data
    name: guid(data.id, reader.principalId, storageBlobDataReader)
    properties: {
      description: 'Reads the collected activities of this scan.'
      principalId: reader.principalId
      principalType: reader.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageBlobDataReader)
    }
  }
]

resource readsManifests 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for reader in readers: if (!empty(manifestContainer)) {
    scope: manifests
    name: guid(manifests.id, reader.principalId, storageBlobDataReader)
    properties: {
      description: 'Follows the manifests of this scan and verifies their chain.'
      principalId: reader.principalId
      principalType: reader.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageBlobDataReader)
    }
  }
]

resource readsState 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for reader in stateReaders: if (!empty(stateContainer)) {
    scope: state
    name: guid(state.id, reader.principalId, storageBlobDataReader)
    properties: {
      description: 'Reads the ledger, the run logs and the quarantine of this scan.'
      principalId: reader.principalId
      principalType: reader.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageBlobDataReader)
    }
  }
]

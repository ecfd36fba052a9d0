// Role assignments. This file has every right of the collector's identity in Azure except that on the
// vault (vault.bicep), each at the smallest scope that works. Its right on the Activities API is a role in
// Entra ID, which infra/scripts/grant-app-role.sh grants.

targetScope = 'resourceGroup'

@description('Name of the collector\'s identity.')
param identityName string

@description('Object id of the collector\'s identity.')
param principalId string

@description('Name of the storage account for the Functions host.')
param hostAccountName string

@description('Name of the storage account for the data.')
param dataAccountName string

@description('Containers for the parts; the first is the app\'s.')
param dataContainers array

@description('Containers for the manifests; the first is the app\'s.')
param manifestContainers array

@description('Containers for ledgers, run logs and quarantines; the first is the app\'s.')
param stateContainers array

@description('Name of the Application Insights component.')
param componentName string

@description('Whether the timer hands scans to workers through a queue.')
param fanOut bool

@description('Who may read parts and manifests of the app\'s containers: objects with principalId and principalType (User, Group or ServicePrincipal).')
param readers array

@description('Who may also read the app\'s state (ledgers, run logs and quarantines): objects with principalId and principalType (User, Group or ServicePrincipal).')
param stateReaders array

var roles = {
  monitoringMetricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
  storageBlobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  storageBlobDataReader: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
  storageQueueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  storageTableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource hostAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: hostAccountName
}

resource hostQueues 'Microsoft.Storage/storageAccounts/queueServices@2025-06-01' existing = {
  parent: hostAccount
  name: 'default'
}

resource dueScans 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' existing = {
  parent: hostQueues
  name: 'due-scans'
}

resource poison 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' existing = {
  parent: hostQueues
  name: 'due-scans-poison'
}

resource dataAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: dataAccountName
}

resource dataBlobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' existing = {
  parent: dataAccount
  name: 'default'
}

resource data 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = [
  for name in dataContainers: {
    parent: dataBlobs
    name: name
  }
]

resource manifests 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = [
  for name in manifestContainers: {
    parent: dataBlobs
    name: name
  }
]

resource state 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = [
  for name in stateContainers: {
    parent: dataBlobs
    name: name
  }
]

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

// The host creates containers and leases blobs in them, so a single container would be too narrow a scope.
resource hostBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: hostAccount
  name: guid(hostAccount.id, identity.id, roles.storageBlobDataOwner)
  properties: {
    description: 'The Functions host keeps the package, its locks and the timer\'s status here.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataOwner)
  }
}

// The host works without this role but warns at every start.
resource hostTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: hostAccount
  name: guid(hostAccount.id, identity.id, roles.storageTableDataContributor)
  properties: {
    description: 'The Functions host writes its diagnostic events to a table.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageTableDataContributor)
  }
}

// Sending, receiving, and showing a failed message again: the roles that only send or process lack the last.
resource handsOutScans 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (fanOut) {
  scope: dueScans
  name: guid(dueScans.id, identity.id, roles.storageQueueDataContributor)
  properties: {
    description: 'The Functions host sends and receives the messages that hand scans to workers.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageQueueDataContributor)
  }
}

resource putsPoisonAside 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (fanOut) {
  scope: poison
  name: guid(poison.id, identity.id, roles.storageQueueDataContributor)
  properties: {
    description: 'The Functions host puts messages aside that lost five workers.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageQueueDataContributor)
  }
}

// The scope is each container rather than the account, so the collector cannot touch anything else that is
// stored there.
resource writesParts 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, place) in dataContainers: {
    scope: data[place]
    name: guid(data[place].id, identity.id, roles.storageBlobDataContributor)
    properties: {
      description: 'The collector writes parts and reads them again for sweeps.'
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
    }
  }
]

resource writesManifests 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, place) in manifestContainers: {
    scope: manifests[place]
    name: guid(manifests[place].id, identity.id, roles.storageBlobDataContributor)
    properties: {
      description: 'The collector writes the chain of manifests.'
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
    }
  }
]

resource writesState 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, place) in stateContainers: {
    scope: state[place]
    name: guid(state[place].id, identity.id, roles.storageBlobDataContributor)
    properties: {
      description: 'The collector saves the ledger, the run logs and quarantined answers.'
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
    }
  }
]

// The component accepts telemetry only from identities with this role.
resource sendsTelemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: component
  name: guid(component.id, identity.id, roles.monitoringMetricsPublisher)
  properties: {
    description: 'The Functions host and the collector send telemetry.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.monitoringMetricsPublisher)
  }
}

resource readsParts 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for reader in readers: {
    scope: data[0]
    name: guid(data[0].id, reader.principalId, roles.storageBlobDataReader)
    properties: {
      description: 'Reads the collected activities.'
      principalId: reader.principalId
      principalType: reader.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataReader)
    }
  }
]

// The manifests are the feed: they name the parts, and they show when a day is complete.
resource readsManifests 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for reader in readers: {
    scope: manifests[0]
    name: guid(manifests[0].id, reader.principalId, roles.storageBlobDataReader)
    properties: {
      description: 'Follows the manifests and verifies their chain.'
      principalId: reader.principalId
      principalType: reader.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataReader)
    }
  }
]

// The deployer checks the first runs: the state holds the run logs and what is still waiting.
resource readsState 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for reader in stateReaders: {
    scope: state[0]
    name: guid(state[0].id, reader.principalId, roles.storageBlobDataReader)
    properties: {
      description: 'Reads the ledger, the run logs and the quarantine.'
      principalId: reader.principalId
      principalType: reader.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataReader)
    }
  }
]

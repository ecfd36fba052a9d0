// Role assignments of the table's identity: it reads the feed, and writes the table's container and its own
// host storage. It has no right on the ledger, the vault or the Activities API.

targetScope = 'resourceGroup'

@description('Name of the table\'s identity.')
param identityName string

@description('Object id of the table\'s identity.')
param principalId string

@description('Name of the storage account for the Functions host of the table\'s app.')
param hostAccountName string

@description('Name of the storage account for the data.')
param dataAccountName string

@description('Containers for the parts.')
param dataContainers array

@description('Containers for the manifests.')
param manifestContainers array

@description('Container for the ledger, the run logs and the quarantine.')
param stateContainer string

@description('Container for the table.')
param tableContainer string

@description('Name of the Application Insights component.')
param componentName string

@description('Who may read the table: objects with principalId and principalType (User, Group or ServicePrincipal).')
param readers array

var roles = {
  monitoringMetricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
  storageBlobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  storageBlobDataReader: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
  storageTableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
}

// The list of scans in use is in the state container, beside the ledgers and the quarantine. Nothing else
// there concerns the table.
var listOnly = '(!(ActionMatches{\'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read\'}) OR (@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path] StringEquals \'scans-in-use.json\'))'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource hostAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: hostAccountName
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

resource state 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = {
  parent: dataBlobs
  name: stateContainer
}

resource table 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = {
  parent: dataBlobs
  name: tableContainer
}

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

resource readsParts 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, place) in dataContainers: {
    scope: data[place]
    name: guid(data[place].id, identity.id, roles.storageBlobDataReader)
    properties: {
      description: 'The table\'s app reads the collected activities.'
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataReader)
    }
  }
]

resource readsManifests 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, place) in manifestContainers: {
    scope: manifests[place]
    name: guid(manifests[place].id, identity.id, roles.storageBlobDataReader)
    properties: {
      description: 'The table\'s app follows the manifests.'
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataReader)
    }
  }
]

resource readsList 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: state
  name: guid(state.id, identity.id, roles.storageBlobDataReader)
  properties: {
    description: 'The table\'s app reads the list of scans in use, and nothing else.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataReader)
    condition: listOnly
    conditionVersion: '2.0'
  }
}

resource writesTable 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: table
  name: guid(table.id, identity.id, roles.storageBlobDataContributor)
  properties: {
    description: 'The table\'s app appends to the table, merges its files and removes old ones.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
  }
}

// The component accepts telemetry only from identities with this role.
resource sendsTelemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: component
  name: guid(component.id, identity.id, roles.monitoringMetricsPublisher)
  properties: {
    description: 'The Functions host and the table\'s app send telemetry.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.monitoringMetricsPublisher)
  }
}

resource readsTable 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for reader in readers: {
    scope: table
    name: guid(table.id, reader.principalId, roles.storageBlobDataReader)
    properties: {
      description: 'Reads the table.'
      principalId: reader.principalId
      principalType: reader.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataReader)
    }
  }
]

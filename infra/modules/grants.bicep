// Who may do what. Every right of the collector's identity is here, each at the smallest scope that
// works; nothing else is granted to it in Azure. (Its right on the Activities API is a role of
// another kind, which infra/scripts/grant-app-role.sh grants.)

targetScope = 'resourceGroup'

@description('Name of the collector\'s identity.')
param identityName string

@description('Object id of that identity.')
param principalId string

@description('Name of the account of the Functions host.')
param hostAccountName string

@description('Name of the account of the data.')
param dataAccountName string

@description('Container of parts.')
param dataContainer string

@description('Container of manifests.')
param manifestContainer string

@description('Container of ledger, run log and quarantine.')
param stateContainer string

@description('Name of the Application Insights component.')
param componentName string

@description('Who may read parts and manifests: objects with principalId and principalType (User, Group or ServicePrincipal).')
param readers array

@description('Who may read the state as well: the ledger, run log and quarantine. The same kind of objects.')
param stateReaders array

var roles = {
  monitoringMetricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
  storageBlobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  storageBlobDataReader: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
  storageTableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
}

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

resource data 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = {
  parent: dataBlobs
  name: dataContainer
}

resource manifests 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = {
  parent: dataBlobs
  name: manifestContainer
}

resource state 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = {
  parent: dataBlobs
  name: stateContainer
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

// The host makes containers of its own and leases blobs in them, so this cannot be one container.
resource hostBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: hostAccount
  name: guid(hostAccount.id, identity.id, roles.storageBlobDataOwner)
  properties: {
    description: 'The Functions host keeps package, locks and the timer\'s status here.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataOwner)
  }
}

// Without it the host works, and warns at every start.
resource hostTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: hostAccount
  name: guid(hostAccount.id, identity.id, roles.storageTableDataContributor)
  properties: {
    description: 'The Functions host writes its diagnostic events into a table.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageTableDataContributor)
  }
}

// Three containers and not the account: whatever else is put there is out of the collector's reach.
resource writesParts 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: data
  name: guid(data.id, identity.id, roles.storageBlobDataContributor)
  properties: {
    description: 'The collector writes parts, and reads them back for sweeps.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
  }
}

resource writesManifests 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: manifests
  name: guid(manifests.id, identity.id, roles.storageBlobDataContributor)
  properties: {
    description: 'The collector writes the chain of manifests.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
  }
}

resource writesState 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: state
  name: guid(state.id, identity.id, roles.storageBlobDataContributor)
  properties: {
    description: 'The collector saves ledger, run log and quarantine.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
  }
}

// The component takes telemetry from identities only.
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
    scope: data
    name: guid(data.id, reader.principalId, roles.storageBlobDataReader)
    properties: {
      description: 'Reads the collected activities.'
      principalId: reader.principalId
      principalType: reader.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataReader)
    }
  }
]

// The manifests are the feed: they say which parts there are and when a day is complete.
resource readsManifests 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for reader in readers: {
    scope: manifests
    name: guid(manifests.id, reader.principalId, roles.storageBlobDataReader)
    properties: {
      description: 'Follows the manifests, and verifies the chain.'
      principalId: reader.principalId
      principalType: reader.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataReader)
    }
  }
]

// Who deploys looks at the first runs: the run log and what is waiting are in the state.
resource readsState 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for reader in stateReaders: {
    scope: state
    name: guid(state.id, reader.principalId, roles.storageBlobDataReader)
    properties: {
      description: 'Reads ledger, run log and quarantine.'
      principalId: reader.principalId
      principalType: reader.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataReader)
    }
  }
]

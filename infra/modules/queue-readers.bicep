// Grants the right to receive the messages of one queue.

targetScope = 'resourceGroup'

@description('Name of the storage account for the data.')
param dataAccountName string

@description('Name of the queue.')
param queueName string

@description('Who may receive messages: objects with principalId and principalType (User, Group or ServicePrincipal).')
param readers array

// A role with reading and deleting alone would not do: a reader must also be able to return a message that
// it failed to process.
var storageQueueDataContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88'

resource dataAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: dataAccountName
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices@2025-06-01' existing = {
  parent: dataAccount
  name: 'default'
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' existing = {
  parent: queues
  name: queueName
}

resource takes 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for reader in readers: {
    scope: queue
    name: guid(queue.id, reader.principalId, storageQueueDataContributor)
    properties: {
      description: 'Receives messages about new parts.'
      principalId: reader.principalId
      principalType: reader.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageQueueDataContributor)
    }
  }
]

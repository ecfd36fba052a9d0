// A message in a storage queue for every new part, for readers that would rather be told than ask.
// The messages are at least once and in no order; the manifests are the feed that is exact.

targetScope = 'resourceGroup'

@description('Region of the topic: that of the account.')
param location string

@description('Tags of the topic.')
param tags object

@description('Name of the topic.')
param topicName string

@description('Name of the account of the data.')
param dataAccountName string

@description('Container of parts.')
param dataContainer string

@description('Name of the queue.')
param queueName string

@description('Who may take messages: objects with principalId and principalType (User, Group or ServicePrincipal).')
param readers array

var roles = {
  storageQueueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  storageQueueDataMessageSender: 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'
}

resource dataAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: dataAccountName
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices@2025-06-01' = {
  parent: dataAccount
  name: 'default'
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' = {
  parent: queues
  name: queueName
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: topicName
  location: location
  tags: tags
  identity: {
    // Of a topic only this kind of identity passes the firewall of storage.
    type: 'SystemAssigned'
  }
  properties: {
    source: dataAccount.id
    topicType: 'Microsoft.Storage.StorageAccounts'
  }
}

resource sends 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: queue
  name: guid(queue.id, topic.id, roles.storageQueueDataMessageSender)
  properties: {
    description: 'Event Grid puts a message into the queue for every new part.'
    principalId: topic.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageQueueDataMessageSender)
  }
}

// Reading and deleting alone cannot hand a message back that failed.
resource takes 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for reader in readers: {
    scope: queue
    name: guid(queue.id, reader.principalId, roles.storageQueueDataContributor)
    properties: {
      description: 'Takes messages about new parts.'
      principalId: reader.principalId
      principalType: reader.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageQueueDataContributor)
    }
  }
]

resource subscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: 'new-parts'
  properties: {
    deliveryWithResourceIdentity: {
      identity: {
        type: 'SystemAssigned'
      }
      destination: {
        endpointType: 'StorageQueue'
        properties: {
          resourceId: dataAccount.id
          queueName: queueName
          // A week, as long as the queue would keep it without being told.
          queueMessageTimeToLiveInSeconds: 604800
        }
      }
    }
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    filter: {
      includedEventTypes: [
        'Microsoft.Storage.BlobCreated'
      ]
      subjectBeginsWith: '/blobServices/default/containers/${dataContainer}/'
      subjectEndsWith: '.jsonl.gz'
    }
    retryPolicy: {
      eventTimeToLiveInMinutes: 1440
      maxDeliveryAttempts: 30
    }
  }
  dependsOn: [
    queue
    sends
  ]
}

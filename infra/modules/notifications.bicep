// A message in a storage queue for every new part, for readers that would rather be told than ask. Each
// reader has a queue of its own, since a message that one takes is gone for the others.
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

@description('The queues, one for each reader: objects with name, and with principalId and principalType of who takes the messages.')
param queues array

@description('How a message is written: EventGridSchema or CloudEventSchemaV1_0.')
param eventSchema string

@description('Who may take messages from a queue that names nobody: objects with principalId and principalType (User, Group or ServicePrincipal).')
param readers array

var roles = {
  storageQueueDataMessageSender: 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'
}

resource dataAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: dataAccountName
}

resource service 'Microsoft.Storage/storageAccounts/queueServices@2025-06-01' = {
  parent: dataAccount
  name: 'default'
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' = [
  for entry in queues: {
    parent: service
    name: entry.name
  }
]

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

resource sends 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (entry, place) in queues: {
    scope: queue[place]
    name: guid(queue[place].id, topic.id, roles.storageQueueDataMessageSender)
    properties: {
      description: 'Event Grid puts a message into the queue for every new part.'
      principalId: topic.identity.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageQueueDataMessageSender)
    }
  }
]

module takes 'queue-readers.bicep' = [
  for entry in queues: {
    name: 'readers-of-${entry.name}'
    params: {
      dataAccountName: dataAccountName
      queueName: entry.name
      readers: contains(entry, 'principalId') ? [entry] : readers
    }
    dependsOn: [
      queue
    ]
  }
]

// Event Grid refuses to change schema or queue of a subscription that is there, so both are in its
// name: a change makes a second one, and the old one is deleted by hand.
resource subscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = [
  for entry in queues: {
    parent: topic
    name: '${entry.name}-${eventSchema == 'EventGridSchema' ? 'eventgrid' : 'cloudevents'}'
    properties: {
      deliveryWithResourceIdentity: {
        identity: {
          type: 'SystemAssigned'
        }
        destination: {
          endpointType: 'StorageQueue'
          properties: {
            resourceId: dataAccount.id
            queueName: entry.name
            // A week, as long as the queue would keep it without being told.
            queueMessageTimeToLiveInSeconds: 604800
          }
        }
      }
      eventDeliverySchema: eventSchema
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
]

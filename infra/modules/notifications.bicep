// Puts a message into storage queues for every new part, for readers that do not want to poll. Each reader
// has its own queue, since a message that one reader takes is gone for the others. Messages arrive at least
// once and in no particular order; only the manifests list each part exactly once and in order.

targetScope = 'resourceGroup'

@description('Region of the topic, which must be that of the storage account.')
param location string

@description('Tags of the topic.')
param tags object

@description('Name of the topic.')
param topicName string

@description('Name of the storage account for the data.')
param dataAccountName string

@description('Containers for the parts; the first is the app\'s.')
param dataContainers array

@description('Queues, one for each reader: objects with name, and optionally the principalId and principalType that may receive its messages.')
param queues array

@description('Schema of the messages: EventGridSchema or CloudEventSchemaV1_0.')
param eventSchema string

@description('Who may receive messages from a queue that names no principal: objects with principalId and principalType (User, Group or ServicePrincipal).')
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
    // The storage firewall trusts a topic only with a system-assigned identity.
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

// Event Grid refuses to change the schema or the queue of an existing subscription, so the name contains
// both. A change creates a second subscription, and somebody has to delete the old one.
var ending = eventSchema == 'EventGridSchema' ? 'eventgrid' : 'cloudevents'

resource subscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = [
  for entry in queues: {
    parent: topic
    name: '${entry.name}-${ending}'
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
            // A week, which is also the queue's default.
            queueMessageTimeToLiveInSeconds: 604800
          }
        }
      }
      eventDeliverySchema: eventSchema
      filter: {
        includedEventTypes: [
          'Microsoft.Storage.BlobCreated'
        ]
        subjectBeginsWith: '/blobServices/default/containers/${dataContainers[0]}/'
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

// A filter has one prefix, so each container of a scan needs a subscription for each queue. Its name may have
// 64 characters.
var ownContainers = skip(dataContainers, 1)

resource subscriptionOfScans 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = [
  for place in range(0, length(queues) * length(ownContainers)): {
    parent: topic
    name: '${take(queues[place / length(ownContainers)].name, 20)}-${take(ownContainers[place % length(ownContainers)], 14)}-${uniqueString(queues[place / length(ownContainers)].name, ownContainers[place % length(ownContainers)])}-${ending}'
    properties: {
      deliveryWithResourceIdentity: {
        identity: {
          type: 'SystemAssigned'
        }
        destination: {
          endpointType: 'StorageQueue'
          properties: {
            resourceId: dataAccount.id
            queueName: queues[place / length(ownContainers)].name
            queueMessageTimeToLiveInSeconds: 604800
          }
        }
      }
      eventDeliverySchema: eventSchema
      filter: {
        includedEventTypes: [
          'Microsoft.Storage.BlobCreated'
        ]
        subjectBeginsWith: '/blobServices/default/containers/${ownContainers[place % length(ownContainers)]}/'
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

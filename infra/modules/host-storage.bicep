// The storage account for the Functions host of one app: the app's package, the timer's lock and its last
// occurrence, and, for several scans, the queue through which the timer hands them to workers.
// It is separate from the data, so that the data's lifecycle rules and immutability policies do not affect
// the host's blobs, and readers of the data cannot see the package.

targetScope = 'resourceGroup'

@description('Region of the account, which must be that of the app.')
param location string

@description('Tags of the account.')
param tags object

@description('Name of the account.')
@minLength(3)
@maxLength(24)
param accountName string

@description('Container into which packages are deployed.')
param packageContainer string

@description('Whether the account can be reached through private endpoints only.')
param private bool

@description('Whether the timer hands scans to workers.')
param fanOut bool = false

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: accountName
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    // Whatever is lost with this account, a deployment creates again.
    name: 'Standard_LRS'
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: private ? 'None' : 'AzureServices'
      defaultAction: private ? 'Deny' : 'Allow'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 7
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 7
    }
  }
}

// This container must exist before the app does.
resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobs
  name: packageContainer
  properties: {
    publicAccess: 'None'
  }
}

// The host would make a missing queue, but the app's identity may only use these two. The second takes the
// messages that lost five workers; the host derives its name from the first.
resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-06-01' = if (fanOut) {
  parent: account
  name: 'default'
}

resource dueScans 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' = if (fanOut) {
  parent: queueService
  name: 'due-scans'
}

resource poison 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' = if (fanOut) {
  parent: queueService
  name: 'due-scans-poison'
}

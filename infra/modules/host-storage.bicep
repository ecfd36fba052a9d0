// Storage of the Functions host: the app's package, the timer's lock and its last occurrence. It is
// apart from the data, so that no lifecycle rule or write-once policy of theirs meets the host's own
// blobs, and so that a reader of data can never see the package.

targetScope = 'resourceGroup'

@description('Region of the account: that of the app.')
param location string

@description('Tags of the account.')
param tags object

@description('Name of the account.')
@minLength(3)
@maxLength(24)
param accountName string

@description('Container that packages are deployed into.')
param packageContainer string

@description('Whether only private endpoints reach it.')
param private bool

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: accountName
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    // What is lost with it is made anew by a deployment.
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

// It must be there before the app is.
resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobs
  name: packageContainer
  properties: {
    publicAccess: 'None'
  }
}

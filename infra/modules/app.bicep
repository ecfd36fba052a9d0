// The function app on Flex Consumption, with its settings. Each deployment replaces all settings:
// settings that were added by hand are lost.

targetScope = 'resourceGroup'

@description('Region of the app.')
param location string

@description('Tags of the plan and the app.')
param tags object

@description('Name of the app\'s service in azure.yaml.')
param serviceName string

@description('Name of the plan.')
param planName string

@description('Name of the app.')
@minLength(2)
@maxLength(60)
param appName string

@description('Name of the app\'s identity.')
param identityName string

@description('Client id of the app\'s identity.')
param identityClientId string

@description('Name of the storage account for the Functions host.')
param hostAccountName string

@description('Container into which packages are deployed.')
param packageContainer string

@description('Domain of the storage service in this cloud, such as core.windows.net.')
param storageSuffix string

@description('Connection string of Application Insights.')
param connectionString string

@description('Memory of an instance in megabytes.')
param instanceMemoryMB int

@description('Maximum number of instances. The timer runs on one; while the platform moves the app, it keeps others as well.')
param maximumInstanceCount int

@description('How a new package or setting replaces the old one. If it is empty, Azure uses its default.')
param updateStrategy string

@description('Resource id of the subnet for the app\'s outbound traffic. If it is empty, the app is not part of a network.')
param subnetId string

@description('Whether the app refuses all requests from outside. Its deployment endpoint stays open to those who may deploy.')
param private bool

@description('Settings of the program by name (docs/settings.md).')
param programSettings object

var accountUrl = 'https://${hostAccountName}.blob.${storageSuffix}'

// In the public cloud the host gets the account's name and derives the addresses from it: given only the
// addresses, it sometimes failed to open its storage. Elsewhere it cannot derive them, so it gets the
// addresses.
var hostStorageByName = {
  AzureWebJobsStorage__accountName: hostAccountName
}
var hostStorageByAddress = {
  AzureWebJobsStorage__blobServiceUri: accountUrl
  AzureWebJobsStorage__queueServiceUri: 'https://${hostAccountName}.queue.${storageSuffix}'
  AzureWebJobsStorage__tableServiceUri: 'https://${hostAccountName}.table.${storageSuffix}'
}
var hostStorage = startsWith(storageSuffix, 'core.windows.') ? hostStorageByName : hostStorageByAddress

var hostSettings = {
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'Authorization=AAD;ClientId=${identityClientId}'
  APPLICATIONINSIGHTS_CONNECTION_STRING: connectionString
  AzureWebJobsDisableHomepage: 'true'
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsStorage__credential: 'managedidentity'
  IDENTITY_CLIENT_ID: identityClientId
  // By default each thread has a memory arena of its own, which would cost an instance of 512 MB a third
  // of its memory.
  MALLOC_ARENA_MAX: '2'
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

var runsOn = {
  deployment: {
    storage: {
      type: 'blobContainer'
      value: '${accountUrl}/${packageContainer}'
      authentication: {
        type: 'UserAssignedIdentity'
        userAssignedIdentityResourceId: identity.id
      }
    }
  }
  runtime: {
    name: 'python'
    version: '3.13'
  }
  scaleAndConcurrency: {
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
  }
}

// Sent only on request. The service documents this property, but no published type has it, and a region
// that does not support it yet could refuse the whole deployment.
var chosenStrategy = {
  siteUpdateStrategy: {
    type: updateStrategy
  }
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: appName
  location: location
  tags: union(tags, {
    // azd finds the app to deploy to by this tag.
    'azd-service-name': serviceName
  })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identity.id
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: union(runsOn, empty(updateStrategy) ? {} : chosenStrategy)
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ipSecurityRestrictionsDefaultAction: private ? 'Deny' : 'Allow'
      scmIpSecurityRestrictionsDefaultAction: 'Allow'
      scmIpSecurityRestrictionsUseMain: false
      // Part of the app rather than a separate resource, so that they exist when the app first starts.
      appSettings: [
        for setting in items(union(hostStorage, hostSettings, programSettings)): {
          name: setting.key
          value: setting.value
        }
      ]
    }
  }
}

// Switches off deployment with a password.
resource noFtpPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'ftp'
  // The published type lacks this property, but the service has refused deployments without it.
  #disable-next-line BCP187
  location: location
  properties: {
    allow: false
  }
}

resource noScmPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'scm'
  // The published type lacks this property, but the service has refused deployments without it.
  #disable-next-line BCP187
  location: location
  properties: {
    allow: false
  }
}

@description('Resource id of the app.')
output appId string = app.id

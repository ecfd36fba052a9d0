// The function app on Flex Consumption, with its settings. Deployed again, it takes exactly these
// settings: what was added by hand is gone.

targetScope = 'resourceGroup'

@description('Region of the app.')
param location string

@description('Tags of plan and app.')
param tags object

@description('Name of the plan.')
param planName string

@description('Name of the app.')
@minLength(2)
@maxLength(60)
param appName string

@description('Name of the collector\'s identity.')
param identityName string

@description('Client id of that identity.')
param identityClientId string

@description('Name of the account of the Functions host.')
param hostAccountName string

@description('Container that packages are deployed into.')
param packageContainer string

@description('Domain of storage in this cloud, such as core.windows.net.')
param storageSuffix string

@description('Connection string of Application Insights.')
param connectionString string

@description('Megabytes of an instance.')
param instanceMemoryMB int

@description('Instances at most. The timer runs on one of them; the platform keeps some others while it moves the app.')
param maximumInstanceCount int

@description('How a new package or setting takes the place of the old one; empty for what Azure does by itself.')
param updateStrategy string

@description('Subnet that the app reaches out from; empty for none.')
param subnetId string

@description('Whether the app itself answers nobody. Its deployment endpoint stays open to those who may deploy.')
param private bool

@description('Settings of the program, by name (docs/settings.md).')
param programSettings object

var accountUrl = 'https://${hostAccountName}.blob.${storageSuffix}'

// By the account's name, which the host derives its addresses from: given only the addresses, it
// could not always open its storage. Outside the public cloud the name leads nowhere, and the
// addresses are all there is.
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
  // Threads that each keep memory of their own would cost an instance of 512 MB a third of it.
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

// Sent only when it was asked for: the service documents it, no published type has it, and a region
// that does not know it yet could refuse the whole deployment.
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
    // Where azd finds the app to deploy to; the name is that of the service in azure.yaml.
    'azd-service-name': 'collector'
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
      // Here and not in a resource of their own: so they are there when the app first starts.
      appSettings: [
        for setting in items(union(hostStorage, hostSettings, programSettings)): {
          name: setting.key
          value: setting.value
        }
      ]
    }
  }
}

// Nobody signs in to deploy with a password.
resource noFtpPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'ftp'
  // The types say that there is no such property; without it the service has refused deployments.
  #disable-next-line BCP187
  location: location
  properties: {
    allow: false
  }
}

resource noScmPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'scm'
  // The types say that there is no such property; without it the service has refused deployments.
  #disable-next-line BCP187
  location: location
  properties: {
    allow: false
  }
}

@description('Resource id of the app.')
output appId string = app.id

// The table's function app: a second app that follows the feed and keeps a Delta table (docs/table.md). It
// shares telemetry, network and the data's storage account with the collector, and nothing else: it has its
// own plan, host storage account and identity.

targetScope = 'resourceGroup'

@description('Region of all resources in this module.')
param location string

@description('Tags of all resources in this module.')
param tags object

@description('Suffix that makes the names of this deployment unique.')
param resourceToken string

@description('Name of the table\'s function app.')
@minLength(2)
@maxLength(60)
param appName string

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

@description('Who may read the table: objects with principalId and principalType (User, Group or ServicePrincipal).')
param readers array

@description('Name of the Application Insights component.')
param componentName string

@description('Resource id of the component.')
param componentId string

@description('Resource id of the Log Analytics workspace that holds the telemetry.')
param workspaceId string

@description('Connection string of Application Insights.')
param connectionString string

@description('Domain of the storage service in this cloud, such as core.windows.net.')
param storageSuffix string

@description('Maximum number of instances. One is enough for the timer.')
param maximumInstanceCount int

@description('How a new package or setting replaces the old one. If it is empty, Azure uses its default.')
param updateStrategy string

@description('Settings of the program by name (docs/settings.md).')
param programSettings object

@description('Whether the host\'s storage can be reached through private endpoints only, and the app refuses all requests from outside.')
param private bool

@description('Resource id of the subnet for the app\'s outbound traffic. If it is empty, the app is not part of a network.')
param appSubnetId string

@description('Resource id of the subnet for the private endpoints; empty without them.')
param endpointSubnetId string

@description('Resource ids of the private DNS zones by service. The DNS records of a service with an empty id are left to others.')
param zoneIds object

@description('Resource ids of the action groups that the alerts notify.')
param actionGroupIds array

@description('Minutes without a successful run after which an alert fires.')
param noRunMinutes int

@description('Whether the alert rules are evaluated.')
param alertsEnabled bool

var planName = 'plan-activity-table-${resourceToken}'
var identityName = 'id-activity-table-${resourceToken}'
var hostAccountName = 'sttable${resourceToken}'
var hostAccountId = '${resourceGroup().id}/providers/Microsoft.Storage/storageAccounts/${hostAccountName}'
var packageContainer = 'packages'

// An append holds the files of a commit in memory, which takes up to 700 MB (docs/table.md).
var instanceMemoryMB = 2048

var hostServices = ['blob', 'table']

module identity 'identity.bicep' = {
  name: 'table-identity'
  params: {
    location: location
    tags: tags
    identityName: identityName
  }
}

module hostStorage 'host-storage.bicep' = {
  name: 'table-host-storage'
  params: {
    location: location
    tags: tags
    accountName: hostAccountName
    packageContainer: packageContainer
    private: private
  }
}

module grants 'table-grants.bicep' = {
  name: 'table-grants'
  params: {
    identityName: identityName
    principalId: identity.outputs.principalId
    hostAccountName: hostAccountName
    dataAccountName: dataAccountName
    dataContainers: dataContainers
    manifestContainers: manifestContainers
    stateContainer: stateContainer
    tableContainer: tableContainer
    componentName: componentName
    readers: readers
  }
  dependsOn: [
    hostStorage
  ]
}

// One at a time: a storage account accepts only one such change at once.
@batchSize(1)
module privateEndpoints 'private-endpoint.bicep' = [
  for service in (private ? hostServices : []): {
    name: 'endpoint-table-host-${service}'
    params: {
      location: location
      tags: tags
      endpointName: 'pep-table-host-${service}-${resourceToken}'
      subnetId: endpointSubnetId
      targetId: hostAccountId
      service: service
      zoneId: zoneIds[service]
    }
    dependsOn: [
      hostStorage
    ]
  }
]

module app 'app.bicep' = {
  name: 'table-app'
  params: {
    location: location
    tags: tags
    serviceName: 'table'
    planName: planName
    appName: appName
    identityName: identityName
    identityClientId: identity.outputs.clientId
    hostAccountName: hostAccountName
    packageContainer: packageContainer
    storageSuffix: storageSuffix
    connectionString: connectionString
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    updateStrategy: updateStrategy
    subnetId: appSubnetId
    private: private
    programSettings: programSettings
  }
  // The app starts as soon as it exists, so everything that it needs must exist before it.
  dependsOn: [
    grants
    hostStorage
    privateEndpoints
  ]
}

module alerts 'table-alerts.bicep' = {
  name: 'table-alerts'
  params: {
    location: location
    tags: tags
    resourceToken: resourceToken
    appName: appName
    appId: app.outputs.appId
    workspaceId: workspaceId
    componentId: componentId
    actionGroupIds: actionGroupIds
    noRunMinutes: noRunMinutes
    enabled: alertsEnabled
  }
}

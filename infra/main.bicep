// Deploys Activity Scan with its monitoring to a subscription: a resource group, and in it everything in
// collector.bicep. docs/deployment.md explains how to deploy, what each option costs and what remains
// after deletion.

targetScope = 'subscription'

// Required parameters

@description('Name that tells this deployment apart from others in the subscription. No URL contains it.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Region of all resources.')
@minLength(1)
param location string

@description('API URL of the tenant, such as https://contoso.eu2.portal.cloudappsecurity.com. The Defender portal shows it under Settings, Cloud Apps, About.')
@minLength(1)
param apiUrl string

@description('Email address that receives the alerts. If it is empty, the alerts fire but reach nobody.')
param alertEmail string

// Names

@description('Tags to set on every resource.')
param tags object = {}

@description('Name of the resource group. If it is empty, the name is rg- followed by the environment\'s name.')
@maxLength(90)
param resourceGroupName string = ''

@description('Whether to create the resource group. If false, it must exist and is left unchanged.')
param createResourceGroup bool = true

@description('Name of the function app: 2 to 60 characters, unique in Azure. If it is empty, a name is generated.')
@maxLength(60)
param functionAppName string = ''

@description('Name of the storage account for the data: 3 to 24 lower-case letters and digits, unique in Azure. If it is empty, a name is generated.')
@maxLength(24)
param storageAccountName string = ''

// The program (docs/settings.md explains these defaults)

@description('When the function runs: an NCRONTAB expression with six fields, in UTC. infra/scripts/check_schedule.py explains what an expression means.')
@minLength(9)
param schedule string = '0 */5 * * * *'

@description('Time budget of one run (wall time): 5 s to 9 min, and less than the time between two runs.')
param timeBudget string = '4m'

@description('Name of the scan, which every blob name contains. It may have a-z, 0-9 and -.')
@minLength(1)
@maxLength(40)
param scanName string = 'all'

@description('Filters that select activities, in the API\'s own form. Without filters, everything is collected.')
param scanFilters object = {}

@description('Fingerprint that accepts changed filters under the same scan name.')
param scanAcceptFilters string = ''

@description('Label of an examination that the next run does once (SCAN_DOCTOR); empty for none.')
@maxLength(40)
param scanDoctor string = ''

@description('Which time the scan goes by: date (when the activity happened) or created (when it was ingested).')
@allowed([
  'date'
  'created'
])
param scanSortField string = 'date'

@description('Sort direction within a slice.')
@allowed([
  'asc'
  'desc'
])
param scanSortDirection string = 'asc'

@description('Records to request per page.')
@minValue(500)
@maxValue(5000)
param scanLimit int = 5000

@description('How far back the first run starts.')
param scanLookback string = '7d'

@description('Age that time must reach before it is first scanned.')
param scanSettle string = '10m'

@description('Time younger than this is scanned first, in short slices.')
param scanFresh string = '1h'

@description('Length of a fresh slice.')
param scanSlice string = '5m'

@description('Ages at which sweeps scan time again, or none.')
param scanSweeps string = '2h,24h,8d'

@description('What sweeps ask for: everything again (full), or only what was ingested since the last look (created).')
@allowed([
  'full'
  'created'
])
param scanSweepBy string = 'full'

@description('How far back the API shows activities.')
param scanReach string = '30d'

@description('Number of slices to scan at once.')
@minValue(1)
@maxValue(16)
param scanConcurrency int = 3

@description('Requests in any 60 seconds. The API allows a tenant 30.')
@minValue(1)
@maxValue(1000)
param scanRequestsPerMinute int = 25

@description('Several scans: an array of objects, each with a name and with whatever differs from the parameters above (docs/settings.md). Leave it empty for one scan.')
param scans array = []

@description('Whether the timer hands several scans to workers through a queue, so that several instances share the work. Set it for the scans of scans.json, which the template does not read.')
param fanOut bool = length(scans) > 1

// Sign-in to the API

@description('How the collector signs in to the Activities API (docs/authentication.md). For client-secret and api-token the deployment creates a vault that holds the secret.')
@allowed([
  'managed-identity'
  'federated'
  'client-secret'
  'api-token'
])
param authMode string = 'managed-identity'

@description('Tenant id of the app registration (federated, client-secret).')
param mdaTenantId string = ''

@description('Client id of the app registration (federated, client-secret).')
param mdaClientId string = ''

@description('Names of settings that hold the secret of a scan, such as MDA_CLIENT_SECRET_FABRIKAM (docs/settings.md). Each refers to a secret of the vault, which the deployment then creates.')
param scanSecrets array = []

@description('Whether the token may be sent to a host outside Microsoft\'s domains, such as a proxy.')
param allowAnyHost bool = false

@description('Object id of the person who deploys. They may then read the data and the state, and set the secret. Leave it empty in a pipeline.')
param deployerId string = ''

@description('Type of principal that deployerId names.')
@allowed([
  'User'
  'Group'
  'ServicePrincipal'
])
param deployerType string = 'User'

@description('Who may set the secret in the vault: objects with principalId and principalType (User, Group or ServicePrincipal).')
param vaultAdministrators array = []

@description('Days for which a deleted vault or secret can be recovered; its name stays taken until then. It cannot be changed later.')
@minValue(7)
@maxValue(90)
param vaultRecoveryDays int = 90

// The app

@description('Memory of an instance in megabytes: 512 comes with a quarter of a core, 2048 with one core, 4096 with two.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 512

@description('Maximum number of instances for each function. One is enough for the timer; with fanOut, as many API hosts are scanned at once. Some of Azure\'s documentation gives 40 as the minimum.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('How a new package or setting replaces the old one. If it is empty, Azure uses its default (Recreate). RollingUpdate is a preview, and the collector does not need it.')
@allowed([
  ''
  'Recreate'
  'RollingUpdate'
])
param updateStrategy string = ''

@description('URL of a package named released-package.zip for the deployment to publish. It may carry a signature (SAS). If it is empty, nothing is published.')
@secure()
param packageUri string = ''

// The data

@description('Redundancy of the storage account for the data: how many copies there are, and where.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_RAGRS'
  'Standard_GZRS'
  'Standard_RAGZRS'
])
param storageRedundancy string = 'Standard_ZRS'

@description('Whether the storage account has a hierarchical namespace (Data Lake Storage), which some readers need. It cannot be changed later, and such an account keeps no versions of the ledger.')
param hierarchicalNamespace bool = false

@description('Container for the parts.')
@minLength(3)
@maxLength(63)
param dataContainer string = 'activities'

@description('Container for the manifests.')
@minLength(3)
@maxLength(63)
param manifestContainer string = 'manifests'

@description('Container for the ledger, the run logs and the quarantine.')
@minLength(3)
@maxLength(63)
param stateContainer string = 'scan-state'

@description('Scans with containers of their own, or listed in scans.json: objects with the name of the scan, and optionally dataContainer, manifestContainer and stateContainer, which are made and protected as the containers above, and the readers of these. The command scans check writes it.')
@maxLength(150)
param scanContainers array = []

@description('Who may read parts and manifests, and receive notifications: objects with principalId and principalType (User, Group or ServicePrincipal).')
param readers array = []

@description('Days for which a deleted or overwritten blob, above all the ledger, can be recovered.')
@minValue(1)
@maxValue(365)
param recoveryDays int = 7

@description('Days for which run logs and quarantined answers are kept.')
@minValue(1)
param diagnosticsDays int = 90

@description('Days after which parts move to the cool tier; 0 for never.')
@minValue(0)
param coolAfterDays int = 0

@description('Days after which parts move to the cold tier; 0 for never.')
@minValue(0)
param coldAfterDays int = 0

@description('Days after which parts are deleted; 0 for never. Sweeps read the parts again, so the minimum is 32. Activities are personal data.')
@minValue(0)
param deleteAfterDays int = 0

@description('Days during which nobody can change or delete a part or a manifest; 0 for no immutability policy.')
@minValue(0)
@maxValue(146000)
param immutabilityDays int = 0

@description('Whether the immutability policies have been locked since. The deployment then leaves them unchanged.')
param immutabilityLocked bool = false

@description('Whether a lock protects the storage account for the data from being deleted.')
param deleteLock bool = false

@description('Whether Event Grid puts a message for each new part into a queue of the same storage account.')
param notifications bool = false

@description('With notifications: one queue for each program that receives messages, since a message that one program takes is gone for the others. Objects with name, and optionally the principalId and principalType that may receive the messages. If it is empty, there is one queue, new-parts, for the readers.')
param notificationQueues array = []

@description('With notifications: schema of the messages. Sentinel, Azure Data Explorer and Snowflake accept EventGridSchema only.')
@allowed([
  'EventGridSchema'
  'CloudEventSchemaV1_0'
])
param notificationSchema string = 'EventGridSchema'

// The table (docs/table.md)

@description('Whether a second function app keeps a Delta table of the activities, to be queried with SQL.')
param table bool = false

@description('With table: name of the table\'s function app: 2 to 60 characters, unique in Azure. If it is empty, a name is generated.')
@maxLength(60)
param tableFunctionAppName string = ''

@description('With table: container for the table, in the storage account for the data.')
@minLength(3)
@maxLength(63)
param tableContainer string = 'table'

@description('With table: when its function runs, an NCRONTAB expression with six fields, in UTC.')
@minLength(9)
param tableSchedule string = '0 */15 * * * *'

@description('With table: time after which a run begins no commit: 5 s to 9 min.')
param tableTimeBudget string = '8m'

@description('With table: days after which activities leave the table; 0 for never.')
@minValue(0)
param tableDeleteAfterDays int = 0

@description('With table: minutes that the table may be behind the feed before an alert fires.')
@minValue(1)
param tableBehindMinutes int = 60

@description('With table: minutes without a successful run of the table after which an alert fires. Choose more than twice the time between two runs.')
@allowed([
  15
  30
  45
  60
  120
  180
  240
  300
  360
  1440
  2880
])
param tableNoRunMinutes int = 60

// The network

@description('Whether storage and vault can be reached through a private network only, and the app accepts no requests from outside.')
param networkIsolation bool = false

@description('Address range of the network that the deployment creates.')
param networkAddressPrefix string = '10.90.0.0/24'

@description('Address range of the app\'s subnet within that network, /27 or larger.')
param appSubnetPrefix string = '10.90.0.0/26'

@description('Address range of the private endpoints\' subnet within that network, /28 or larger.')
param endpointSubnetPrefix string = '10.90.0.64/27'

@description('Whether everything that the app sends to the internet comes from one fixed address, through a NAT gateway in the network that the deployment creates.')
param fixedOutboundAddress bool = false

@description('For an existing network: resource id of a subnet for the app, delegated to Microsoft.App/environments.')
param existingAppSubnetId string = ''

@description('For an existing network: resource id of a subnet for the private endpoints.')
param existingEndpointSubnetId string = ''

@description('For an existing network: resource ids of the private DNS zones, by service (blob, dfs, queue, table, vault). The deployment leaves the DNS records of a service without a zone to others, such as a policy.')
param existingDnsZoneIds object = {}

// Monitoring

@description('Days for which telemetry is kept. Up to 31 days cost nothing extra.')
@minValue(30)
@maxValue(730)
param telemetryDays int = 30

@description('Daily cap on telemetry in gigabytes; -1 for no cap. Once it is reached, no more telemetry is collected that day and the log alerts fall silent.')
param telemetryDailyCapGb int = 1

@description('Whether the alert rules are evaluated.')
param alertsEnabled bool = true

@description('Minutes without a successful run after which an alert fires. Choose more than twice the time between two runs.')
@allowed([
  15
  30
  45
  60
  120
  180
  240
  300
  360
  1440
  2880
])
param noRunMinutes int = 30

@description('Minutes that a scan may lag behind before an alert fires. Its lag is the age of the oldest time that is due and not covered.')
@minValue(1)
param lagMinutes int = 60

@description('Minutes of new doubt within a day that may remain after the first sweeps before an alert fires.')
@minValue(0)
param doubtMinutes int = 5

@description('Percentage of an hour\'s runs that may be throttled before an alert fires.')
@minValue(1)
@maxValue(99)
param throttledPercent int = 50

@description('Hours that a scan may be paused before an alert fires.')
@minValue(1)
param pauseHours int = 24

// The cloud

@description('Domain of the storage service. The default is that of the cloud being deployed to.')
param storageSuffix string = environment().suffixes.storage

@description('Domain of the vault service. The default is that of the cloud being deployed to.')
param vaultSuffix string = environment().suffixes.keyvaultDns

@description('Address where app registrations sign in. The default is that of the cloud being deployed to.')
param loginEndpoint string = environment().authentication.loginEndpoint

// Azure forbids a full stop at the end of a resource group's name; azd allows one at the end of an
// environment's.
var defaultGroupName = 'rg-${environmentName}${endsWith(environmentName, '.') ? '-' : ''}'
var groupName = empty(resourceGroupName) ? defaultGroupName : resourceGroupName

// Names that must be unique in Azure are derived from subscription, environment and region. The region is
// normalised first: 'West Europe' and 'westeurope' give the same names.
var region = toLower(replace(location, ' ', ''))
var token = uniqueString(subscription().id, environmentName, region)

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = if (createResourceGroup) {
  name: groupName
  location: region
  tags: union(tags, {
    'azd-env-name': environmentName
  })
}

module collector 'collector.bicep' = {
  name: 'collector'
  scope: resourceGroup(groupName)
  params: {
    nameToken: token
    environmentName: environmentName
    location: region
    apiUrl: apiUrl
    alertEmail: alertEmail
    tags: tags
    functionAppName: functionAppName
    storageAccountName: storageAccountName
    schedule: schedule
    timeBudget: timeBudget
    scanName: scanName
    scanFilters: scanFilters
    scanAcceptFilters: scanAcceptFilters
    scanDoctor: scanDoctor
    scanSortField: scanSortField
    scanSortDirection: scanSortDirection
    scanLimit: scanLimit
    scanLookback: scanLookback
    scanSettle: scanSettle
    scanFresh: scanFresh
    scanSlice: scanSlice
    scanSweeps: scanSweeps
    scanSweepBy: scanSweepBy
    scanReach: scanReach
    scanConcurrency: scanConcurrency
    scanRequestsPerMinute: scanRequestsPerMinute
    scans: scans
    fanOut: fanOut
    authMode: authMode
    mdaTenantId: mdaTenantId
    mdaClientId: mdaClientId
    allowAnyHost: allowAnyHost
    deployerId: deployerId
    deployerType: deployerType
    scanSecrets: scanSecrets
    vaultAdministrators: vaultAdministrators
    vaultRecoveryDays: vaultRecoveryDays
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    updateStrategy: updateStrategy
    packageUri: packageUri
    storageRedundancy: storageRedundancy
    hierarchicalNamespace: hierarchicalNamespace
    dataContainer: dataContainer
    manifestContainer: manifestContainer
    stateContainer: stateContainer
    scanContainers: scanContainers
    readers: readers
    recoveryDays: recoveryDays
    diagnosticsDays: diagnosticsDays
    coolAfterDays: coolAfterDays
    coldAfterDays: coldAfterDays
    deleteAfterDays: deleteAfterDays
    immutabilityDays: immutabilityDays
    immutabilityLocked: immutabilityLocked
    deleteLock: deleteLock
    notifications: notifications
    notificationQueues: notificationQueues
    notificationSchema: notificationSchema
    table: table
    tableFunctionAppName: tableFunctionAppName
    tableContainer: tableContainer
    tableSchedule: tableSchedule
    tableTimeBudget: tableTimeBudget
    tableDeleteAfterDays: tableDeleteAfterDays
    tableBehindMinutes: tableBehindMinutes
    tableNoRunMinutes: tableNoRunMinutes
    networkIsolation: networkIsolation
    networkAddressPrefix: networkAddressPrefix
    appSubnetPrefix: appSubnetPrefix
    endpointSubnetPrefix: endpointSubnetPrefix
    fixedOutboundAddress: fixedOutboundAddress
    existingAppSubnetId: existingAppSubnetId
    existingEndpointSubnetId: existingEndpointSubnetId
    existingDnsZoneIds: existingDnsZoneIds
    telemetryDays: telemetryDays
    telemetryDailyCapGb: telemetryDailyCapGb
    alertsEnabled: alertsEnabled
    noRunMinutes: noRunMinutes
    lagMinutes: lagMinutes
    doubtMinutes: doubtMinutes
    throttledPercent: throttledPercent
    pauseHours: pauseHours
    storageSuffix: storageSuffix
    vaultSuffix: vaultSuffix
    loginEndpoint: loginEndpoint
  }
  dependsOn: [
    group
  ]
}

// Outputs, for azd, the scripts and readers

@description('Region of all resources.')
output AZURE_LOCATION string = collector.outputs.AZURE_LOCATION

@description('Tenant of the subscription.')
output AZURE_TENANT_ID string = collector.outputs.AZURE_TENANT_ID

@description('Resource group of all resources.')
output AZURE_RESOURCE_GROUP string = collector.outputs.AZURE_RESOURCE_GROUP

@description('Name of the function app.')
output FUNCTION_APP_NAME string = collector.outputs.FUNCTION_APP_NAME

@description('Client id of the collector\'s identity.')
output IDENTITY_CLIENT_ID string = collector.outputs.IDENTITY_CLIENT_ID

@description('Object id of the collector\'s identity, to which an administrator grants the role on the API.')
output IDENTITY_PRINCIPAL_ID string = collector.outputs.IDENTITY_PRINCIPAL_ID

@description('URL of the storage account for the data.')
output STORAGE_ACCOUNT_URL string = collector.outputs.STORAGE_ACCOUNT_URL

@description('Container for the parts.')
output STORAGE_DATA_CONTAINER string = collector.outputs.STORAGE_DATA_CONTAINER

@description('Container for the manifests.')
output STORAGE_MANIFEST_CONTAINER string = collector.outputs.STORAGE_MANIFEST_CONTAINER

@description('Container for the ledger, the run logs and the quarantine.')
output STORAGE_STATE_CONTAINER string = collector.outputs.STORAGE_STATE_CONTAINER

@description('Name of the vault in which an administrator sets the secrets; empty without a vault.')
output KEY_VAULT_NAME string = collector.outputs.KEY_VAULT_NAME

@description('Name of the secret of authMode in the vault; empty without one.')
output KEY_VAULT_SECRET_NAME string = collector.outputs.KEY_VAULT_SECRET_NAME

@description('Comma-separated names of the secrets of scans in the vault.')
output KEY_VAULT_SCAN_SECRETS string = collector.outputs.KEY_VAULT_SCAN_SECRETS

@description('Comma-separated names of the queues that receive a message for each new part; empty without notifications.')
output NOTIFICATION_QUEUE string = collector.outputs.NOTIFICATION_QUEUE

@description('Name of the table\'s function app; empty without a table.')
output TABLE_APP_NAME string = collector.outputs.TABLE_APP_NAME

@description('How the collector signs in to the Activities API.')
output MDA_AUTH string = collector.outputs.MDA_AUTH

@description('Tenant id of the app registration; empty without one.')
output MDA_TENANT_ID string = collector.outputs.MDA_TENANT_ID

@description('Client id of the app registration; empty without one.')
output MDA_CLIENT_ID string = collector.outputs.MDA_CLIENT_ID

@description('Name of the Application Insights component.')
output APPLICATION_INSIGHTS_NAME string = collector.outputs.APPLICATION_INSIGHTS_NAME

@description('Email address that alerts reach, or how to set one.')
output ALERTS_REACH string = collector.outputs.ALERTS_REACH

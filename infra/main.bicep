// Activity Scan, from nothing to a watched collector: a resource group, and collector.bicep in it.
// docs/deployment.md explains how to deploy it, what each option costs and what it leaves behind.

targetScope = 'subscription'

// What has to be said

@description('Name of this deployment among others in the subscription; it is part of no address.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Region of everything.')
@minLength(1)
param location string

@description('The tenant\'s API URL, such as https://contoso.eu2.portal.cloudappsecurity.com: the Defender portal shows it under Settings, Cloud Apps, About.')
@minLength(1)
param apiUrl string

@description('Who is written to when something is wrong. Empty: the alerts fire, and reach nobody.')
param alertEmail string

// Names

@description('Tags of every resource.')
param tags object = {}

@description('Name of the resource group; empty for rg- and the environment\'s name.')
@maxLength(90)
param resourceGroupName string = ''

@description('Whether the resource group is made, or is there already and left as it is.')
param createResourceGroup bool = true

@description('Name of the function app; empty for one made of the environment. 2 to 60 characters, unique in Azure.')
@maxLength(60)
param functionAppName string = ''

@description('Name of the storage account of the data; empty for one made of the environment. 3 to 24 lower-case letters and digits, unique in Azure.')
@maxLength(24)
param storageAccountName string = ''

// The program: docs/settings.md has the reasons for these defaults

@description('When the function runs: NCRONTAB with six fields, in UTC. infra/scripts/check_schedule.py says what one means.')
@minLength(9)
param schedule string = '0 */5 * * * *'

@description('Wall time of one run, 5 s to 9 min; less than the time between two runs.')
param timeBudget string = '4m'

@description('Name of the scan, in every blob\'s name: a-z, 0-9 and -.')
@minLength(1)
@maxLength(40)
param scanName string = 'all'

@description('The API\'s filters; none for everything.')
param scanFilters object = {}

@description('Fingerprint of changed filters, to accept them under the same name.')
param scanAcceptFilters string = ''

@description('The time that the scan cuts by: when it happened, or when it was ingested.')
@allowed([
  'date'
  'created'
])
param scanSortField string = 'date'

@description('Direction within a slice.')
@allowed([
  'asc'
  'desc'
])
param scanSortDirection string = 'asc'

@description('Records of a page.')
@minValue(500)
@maxValue(5000)
param scanLimit int = 5000

@description('How far back the first run begins.')
param scanLookback string = '7d'

@description('How old time is before it is first scanned.')
param scanSettle string = '10m'

@description('Younger time goes first, in short slices.')
param scanFresh string = '1h'

@description('Length of a fresh slice.')
param scanSlice string = '5m'

@description('Ages at which time is looked at again, or none.')
param scanSweeps string = '2h,24h,8d'

@description('Whether sweeps ask for everything again, or for what was ingested since.')
@allowed([
  'full'
  'created'
])
param scanSweepBy string = 'full'

@description('How far back the API answers.')
param scanReach string = '30d'

@description('Slices in work at once.')
@minValue(1)
@maxValue(16)
param scanConcurrency int = 3

@description('Requests in any 60 seconds; the tenant has 30.')
@minValue(1)
@maxValue(1000)
param scanRequestsPerMinute int = 25

@description('Several scans: an array of objects with a name each, and what differs from the parameters above, as in docs/settings.md. Empty for one scan.')
param scans array = []

// Signing in to the API

@description('How the collector signs in to the Activities API: docs/authentication.md. The last two keep their secret in a vault that is then made.')
@allowed([
  'managed-identity'
  'federated'
  'client-secret'
  'api-token'
])
param authMode string = 'managed-identity'

@description('Tenant of the app registration (federated, client-secret).')
param mdaTenantId string = ''

@description('Client id of the app registration (federated, client-secret).')
param mdaClientId string = ''

@description('Whether the token may go to an address that is none of Microsoft\'s, such as a proxy\'s.')
param allowAnyHost bool = false

@description('Object id of who deploys, who may then read what was collected and the state, and set the secret. Empty for a pipeline.')
param deployerId string = ''

@description('What deployerId is.')
@allowed([
  'User'
  'Group'
  'ServicePrincipal'
])
param deployerType string = 'User'

@description('Who may set the secret in the vault: objects with principalId and principalType (User, Group or ServicePrincipal).')
param vaultAdministrators array = []

@description('Days that a deleted vault or secret can be brought back; so long its name is taken. It cannot be changed later.')
@minValue(7)
@maxValue(90)
param vaultRecoveryDays int = 90

// The app

@description('Megabytes of an instance: 512 is a quarter of a core, 2048 one, 4096 two.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 512

@description('Instances at most. One is enough for the timer; Azure documents 40 as the least in some places.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('How a new package or setting takes the place of the old one; empty for what Azure does by itself (Recreate). RollingUpdate is a preview, and nothing here needs it.')
@allowed([
  ''
  'Recreate'
  'RollingUpdate'
])
param updateStrategy string = ''

@description('Address of the package, a file named released-package.zip, which is then published, too. It may carry a signature (SAS). Empty: nothing is published.')
@secure()
param packageUri string = ''

// The data

@description('How many copies of the data there are, and where.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_RAGRS'
  'Standard_GZRS'
  'Standard_RAGZRS'
])
param storageRedundancy string = 'Standard_ZRS'

@description('Whether the account has directories (Data Lake Storage), as some readers need. It cannot be changed later, and such an account keeps no versions of the ledger.')
param hierarchicalNamespace bool = false

@description('Container of parts.')
@minLength(3)
@maxLength(63)
param dataContainer string = 'activities'

@description('Container of manifests.')
@minLength(3)
@maxLength(63)
param manifestContainer string = 'manifests'

@description('Container of ledger, run log and quarantine.')
@minLength(3)
@maxLength(63)
param stateContainer string = 'scan-state'

@description('Who may read parts and manifests, and take notifications: objects with principalId and principalType (User, Group or ServicePrincipal).')
param readers array = []

@description('Days that a deleted or overwritten blob can be brought back, the ledger above all.')
@minValue(1)
@maxValue(365)
param recoveryDays int = 7

@description('Days that run logs and quarantined answers are kept.')
@minValue(1)
param diagnosticsDays int = 90

@description('Days after which parts move to the cool tier; 0 for never.')
@minValue(0)
param coolAfterDays int = 0

@description('Days after which parts move to the cold tier; 0 for never.')
@minValue(0)
param coldAfterDays int = 0

@description('Days after which parts are deleted, more than 31, since sweeps read them; 0 for never. Activities are personal data.')
@minValue(0)
param deleteAfterDays int = 0

@description('Days during which nobody can change or delete a part or a manifest; 0 for no such policy.')
@minValue(0)
@maxValue(146000)
param immutabilityDays int = 0

@description('Whether somebody has locked those policies since; then they are left as they are.')
param immutabilityLocked bool = false

@description('Whether a lock keeps the account of the data from being deleted.')
param deleteLock bool = false

@description('Whether Event Grid puts a message into a queue of the same account for each new part.')
param notifications bool = false

@description('With it: a queue for each program that takes the messages, since what one takes is gone for the others. Objects with name, and with principalId and principalType of who takes them. Empty: the queue new-parts, for the readers.')
param notificationQueues array = []

@description('With it: how a message is written. Sentinel, Azure Data Explorer and Snowflake take EventGridSchema only.')
@allowed([
  'EventGridSchema'
  'CloudEventSchemaV1_0'
])
param notificationSchema string = 'EventGridSchema'

// The network

@description('Whether storage and vault are reached through a private network only, and the app answers nobody.')
param networkIsolation bool = false

@description('Address range of the network that is made.')
param networkAddressPrefix string = '10.90.0.0/24'

@description('Address range within it for the app, /27 or larger.')
param appSubnetPrefix string = '10.90.0.0/26'

@description('Address range within it for the private endpoints, /28 or larger.')
param endpointSubnetPrefix string = '10.90.0.64/27'

@description('Whether everything that the app sends to the internet leaves by one fixed address, through a NAT gateway in the network that is made.')
param fixedOutboundAddress bool = false

@description('Instead of making a network: resource id of a subnet that is delegated to Microsoft.App/environments.')
param existingAppSubnetId string = ''

@description('With it: resource id of a subnet for the private endpoints.')
param existingEndpointSubnetId string = ''

@description('With them: resource ids of the private DNS zones, by service (blob, dfs, queue, table, vault). Those that are not named are kept by somebody else, such as a policy.')
param existingDnsZoneIds object = {}

// What is watched

@description('Days that telemetry is kept; up to 31 cost nothing extra.')
@minValue(30)
@maxValue(730)
param telemetryDays int = 30

@description('Gigabytes of telemetry a day after which no more is taken, and alerts fall silent; -1 for no cap.')
param telemetryDailyCapGb int = 1

@description('Whether the alert rules are evaluated.')
param alertsEnabled bool = true

@description('Minutes without a successful run after which somebody is told. More than twice the time between two runs.')
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

@description('Minutes that the oldest time without coverage may lie behind.')
@minValue(1)
param lagMinutes int = 60

@description('Minutes of time in doubt that may be left, of a day, by the sweeps.')
@minValue(0)
param doubtMinutes int = 5

@description('Per cent of an hour\'s runs that may meet a throttle.')
@minValue(1)
@maxValue(99)
param throttledPercent int = 50

// The cloud

@description('Domain of storage; that of the cloud which is deployed to.')
param storageSuffix string = environment().suffixes.storage

@description('Domain of vaults; that of the cloud which is deployed to.')
param vaultSuffix string = environment().suffixes.keyvaultDns

@description('Where app registrations sign in; that of the cloud which is deployed to.')
param loginEndpoint string = environment().authentication.loginEndpoint

// A group's name may not end with a full stop; azd allows one at the end of an environment's.
var defaultGroupName = 'rg-${environmentName}${endsWith(environmentName, '.') ? '-' : ''}'
var groupName = empty(resourceGroupName) ? defaultGroupName : resourceGroupName

// Names that have to be unique in Azure are made of subscription, environment and region: a region
// is the same however it is written.
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
    authMode: authMode
    mdaTenantId: mdaTenantId
    mdaClientId: mdaClientId
    allowAnyHost: allowAnyHost
    deployerId: deployerId
    deployerType: deployerType
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
    storageSuffix: storageSuffix
    vaultSuffix: vaultSuffix
    loginEndpoint: loginEndpoint
  }
  dependsOn: [
    group
  ]
}

// The names that azd, the scripts and people go on with

@description('Region of everything.')
output AZURE_LOCATION string = collector.outputs.AZURE_LOCATION

@description('Tenant of the subscription.')
output AZURE_TENANT_ID string = collector.outputs.AZURE_TENANT_ID

@description('Resource group of everything.')
output AZURE_RESOURCE_GROUP string = collector.outputs.AZURE_RESOURCE_GROUP

@description('Name of the function app.')
output FUNCTION_APP_NAME string = collector.outputs.FUNCTION_APP_NAME

@description('Client id of the collector\'s identity.')
output IDENTITY_CLIENT_ID string = collector.outputs.IDENTITY_CLIENT_ID

@description('Object id of the collector\'s identity, to which an administrator grants the role on the API.')
output IDENTITY_PRINCIPAL_ID string = collector.outputs.IDENTITY_PRINCIPAL_ID

@description('Where the data is.')
output STORAGE_ACCOUNT_URL string = collector.outputs.STORAGE_ACCOUNT_URL

@description('Container of parts.')
output STORAGE_DATA_CONTAINER string = collector.outputs.STORAGE_DATA_CONTAINER

@description('Container of manifests.')
output STORAGE_MANIFEST_CONTAINER string = collector.outputs.STORAGE_MANIFEST_CONTAINER

@description('Container of ledger, run log and quarantine.')
output STORAGE_STATE_CONTAINER string = collector.outputs.STORAGE_STATE_CONTAINER

@description('Vault that waits for the secret; empty when there is none.')
output KEY_VAULT_NAME string = collector.outputs.KEY_VAULT_NAME

@description('Name under which the secret is to be set there; empty when there is none.')
output KEY_VAULT_SECRET_NAME string = collector.outputs.KEY_VAULT_SECRET_NAME

@description('Queues that get a message for each new part, with commas between them; empty when there are none.')
output NOTIFICATION_QUEUE string = collector.outputs.NOTIFICATION_QUEUE

@description('How the collector signs in to the Activities API.')
output MDA_AUTH string = collector.outputs.MDA_AUTH

@description('Tenant of the app registration; empty when there is none.')
output MDA_TENANT_ID string = collector.outputs.MDA_TENANT_ID

@description('Client id of the app registration; empty when there is none.')
output MDA_CLIENT_ID string = collector.outputs.MDA_CLIENT_ID

@description('Name of the Application Insights component.')
output APPLICATION_INSIGHTS_NAME string = collector.outputs.APPLICATION_INSIGHTS_NAME

@description('Whom alerts reach.')
output ALERTS_REACH string = collector.outputs.ALERTS_REACH

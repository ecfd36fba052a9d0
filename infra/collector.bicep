// Activity Scan in one resource group that is there: this template is the whole of it. main.bicep makes
// the group and calls it; by itself it is what a release, the button and Terraform deploy.
// docs/deployment.md explains how to deploy it, what each option costs and what it leaves behind.

targetScope = 'resourceGroup'

// What has to be said

@description('Name of this deployment among others in the subscription; it is part of no address.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Region of everything.')
@minLength(1)
param location string = resourceGroup().location

@description('The tenant\'s API URL, such as https://contoso.eu2.portal.cloudappsecurity.com: the Defender portal shows it under Settings, Cloud Apps, About.')
@minLength(1)
param apiUrl string

@description('Who is written to when something is wrong. Empty: the alerts fire, and reach nobody.')
param alertEmail string

// Names

@description('What tells the names of this deployment from those of others; empty for one made of group, environment and region.')
@maxLength(13)
param nameToken string = ''

@description('Tags of every resource.')
param tags object = {}

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

// What contradicts itself is refused here, before anything is made, and all of it at once. The
// sentences reach the deployer as the name of a property that is not there: the function that fails
// with a message is younger than the tools that check these files.

var registered = authMode == 'federated' || authMode == 'client-secret'
var secret = authMode == 'client-secret' || authMode == 'api-token'
var existingNetwork = !empty(existingAppSubnetId) || !empty(existingEndpointSubnetId)

var registrationMissing = registered && (empty(mdaTenantId) || empty(mdaClientId))
var registrationProblem = 'authMode ${authMode} signs in as an app registration: set mdaTenantId and mdaClientId.'

// The three clouds in which the API answers, and what people copy behind the host. Behind the host
// that all tenants share, the API is in /cas. shared/settings.py judges in the same way.
var address = replace(toLower(trim(apiUrl)), 'https://', '')
var apiHost = split(address, '/')[0]
var apiPath = replace('${address}/', apiHost, '')
var endpointPaths = ['/', '//', '/api/', '/api//', '/api/v1/', '/api/v1//', '/api/v1/activities/', '/api/v1/activities//']
var sharedPaths = ['/cas/', '/cas//', '/cas/api/', '/cas/api//', '/cas/api/v1/', '/cas/api/v1//', '/cas/api/v1/activities/', '/cas/api/v1/activities//']
var publicHost = endsWith(apiHost, '.portal.cloudappsecurity.com')
var governmentHost = endsWith(apiHost, '.portal.cloudappsecurity.us') || endsWith(apiHost, '.portal.cloudappsecuritygov.com')
var sharedHosts = ['portal.cloudappsecurity.com', 'portal.cloudappsecurity.us', 'portal.cloudappsecuritygov.com']
var tenantAddress = (publicHost || governmentHost) && !contains(apiHost, '@') && !contains(apiHost, ' ') && contains(union(endpointPaths, sharedPaths), apiPath)
var sharedAddress = contains(sharedHosts, apiHost) && contains(sharedPaths, apiPath)
var base = 'https://${apiHost}${startsWith(apiPath, '/cas/') ? '/cas' : ''}'
var checkedUrl = allowAnyHost ? apiUrl : base

var wrongAddress = !allowAnyHost && !tenantAddress && !sharedAddress
var wrongAddressProblem = 'apiUrl is ${apiUrl}, which is not the API\'s address: give one such as https://contoso.eu2.portal.cloudappsecurity.com. The Defender portal shows it under Settings, Cloud Apps, About, as API URL.'

var deployer = {
  principalId: deployerId
  principalType: deployerType
}
var deployers = empty(deployerId) ? [] : [deployer]

// Who deploys may be named as a reader or an administrator as well, and is then not added twice:
// Azure refuses a second grant of one role on one thing to the same principal.
var administratorIds = [for administrator in vaultAdministrators: toLower(administrator.principalId)]
var readerIds = [for reader in readers: toLower(reader.principalId)]
var administrators = concat(vaultAdministrators, contains(administratorIds, toLower(deployerId)) ? [] : deployers)
var allReaders = concat(readers, contains(readerIds, toLower(deployerId)) ? [] : deployers)

var nobodySetsIt = secret && empty(administrators)
var nobodySetsItProblem = 'authMode ${authMode} keeps its secret in a vault, and nobody may set it there: name yourself in deployerId, or somebody in vaultAdministrators.'

var queuesUnused = !notifications && !empty(notificationQueues)
var queuesUnusedProblem = 'notificationQueues are named, and notifications is off: switch it on, or remove them.'

var vaultMissing = !secret && !empty(vaultAdministrators)
var vaultProblem = 'vaultAdministrators is set, and authMode ${authMode} has no vault: remove one of them.'

var isolationMissing = existingNetwork && !networkIsolation
var isolationProblem = 'Existing subnets are named, and networkIsolation is off: switch it on, or remove them.'

var subnetMissing = existingNetwork && (empty(existingAppSubnetId) || empty(existingEndpointSubnetId))
var subnetProblem = 'An existing network takes both existingAppSubnetId and existingEndpointSubnetId.'

var zonesAlone = !empty(existingDnsZoneIds) && !existingNetwork
var zonesProblem = 'existingDnsZoneIds belong to existing subnets: name those, too, or let both be made.'

var noWayOut = fixedOutboundAddress && (!networkIsolation || existingNetwork)
var noWayOutProblem = 'fixedOutboundAddress takes networkIsolation and a network that is made here; an existing one has its own way out.'

var deletesTooEarly = deleteAfterDays > 0 && deleteAfterDays < 32
var deletesTooEarlyProblem = 'deleteAfterDays is ${deleteAfterDays}: parts are read again for as long as the API shows activities, so 32 is the least.'

var deletesForbidden = deleteAfterDays > 0 && deleteAfterDays < immutabilityDays
var deletesForbiddenProblem = 'deleteAfterDays is ${deleteAfterDays}, and immutabilityDays, ${immutabilityDays}, forbids it until later.'

var coldTooEarly = coldAfterDays > 0 && coldAfterDays <= coolAfterDays
var coldTooEarlyProblem = 'coldAfterDays is ${coldAfterDays}: it must be more than coolAfterDays, ${coolAfterDays}.'

var deletesBeforeTiers = deleteAfterDays > 0 && deleteAfterDays <= max(coolAfterDays, coldAfterDays)
var deletesBeforeTiersProblem = 'deleteAfterDays is ${deleteAfterDays}: it must be more than coolAfterDays and coldAfterDays.'

var nothingLocked = immutabilityLocked && immutabilityDays == 0
var nothingLockedProblem = 'immutabilityLocked is set, and immutabilityDays is 0: a locked policy has a number of days.'

var oneContainerTwice = length(union([dataContainer], [manifestContainer], [stateContainer])) < 3
var oneContainerTwiceProblem = 'dataContainer, manifestContainer and stateContainer must be three containers.'

var addressProblems = concat(wrongAddress ? [wrongAddressProblem] : [], queuesUnused ? [queuesUnusedProblem] : [])
var vaultProblems = concat(vaultMissing ? [vaultProblem] : [], nobodySetsIt ? [nobodySetsItProblem] : [])
var signInProblems = concat(addressProblems, registrationMissing ? [registrationProblem] : [], vaultProblems)
var existingProblems = concat(isolationMissing ? [isolationProblem] : [], subnetMissing ? [subnetProblem] : [], zonesAlone ? [zonesProblem] : [])
var networkProblems = concat(existingProblems, noWayOut ? [noWayOutProblem] : [])
var deleteProblems = concat(deletesTooEarly ? [deletesTooEarlyProblem] : [], deletesForbidden ? [deletesForbiddenProblem] : [])
var tierProblems = concat(coldTooEarly ? [coldTooEarlyProblem] : [], deletesBeforeTiers ? [deletesBeforeTiersProblem] : [])
var otherProblems = concat(nothingLocked ? [nothingLockedProblem] : [], oneContainerTwice ? [oneContainerTwiceProblem] : [])
var problems = concat(signInProblems, networkProblems, deleteProblems, tierProblems, otherProblems)

var fitting = {
  parameters: environmentName
}
var parametersFitTogether = fitting[empty(problems) ? 'parameters' : join(problems, ' ')]

// Names. What has to be unique in Azure is made of where this is deployed, environment and region. A
// region is the same however it is written: 'West Europe' and 'westeurope' are one collector.

var region = toLower(replace(location, ' ', ''))
var ownToken = uniqueString(resourceGroup().id, environmentName, region)
var resourceToken = empty(nameToken) ? ownToken : nameToken
var allTags = union(tags, {
  'azd-env-name': parametersFitTogether
})

var appName = empty(functionAppName) ? 'func-activity-scan-${resourceToken}' : functionAppName
var planName = 'plan-activity-scan-${resourceToken}'
var identityName = 'id-activity-scan-${resourceToken}'
var workspaceName = 'log-activity-scan-${resourceToken}'
var componentName = 'appi-activity-scan-${resourceToken}'
var networkName = 'vnet-activity-scan-${resourceToken}'
var gatewayName = 'ng-activity-scan-${resourceToken}'
var topicName = 'evgt-activity-scan-${resourceToken}'
var hostAccountName = 'sthost${resourceToken}'
var dataAccountName = empty(storageAccountName) ? 'stscan${resourceToken}' : storageAccountName
var vaultName = 'kv-${resourceToken}'
var secretName = authMode == 'api-token' ? 'mda-api-token' : 'mda-client-secret'
var packageContainer = 'packages'

// Scans that are named have folders of their own; without SCANS there is the one.
var namesOfScans = [for scan in scans: scan.name]
var scanNames = empty(scans) ? [scanName] : namesOfScans

var usualQueue = {
  name: 'new-parts'
}
var queues = empty(notificationQueues) ? [usualQueue] : notificationQueues
var queueNames = [for queue in queues: queue.name]

var dataUrl = 'https://${dataAccountName}.blob.${storageSuffix}'

// The settings, as docs/settings.md has them

// By address, which holds in every cloud; the name of a vault is looked for in the public one only.
var secretReference = '@Microsoft.KeyVault(SecretUri=https://${vaultName}${vaultSuffix}/secrets/${secretName})'

var registrationSettings = {
  MDA_CLIENT_ID: mdaClientId
  MDA_TENANT_ID: mdaTenantId
}
// The Azure SDK would sign registrations in to the public cloud.
var authoritySettings = {
  AZURE_AUTHORITY_HOST: loginEndpoint
}
var clientSecretSettings = {
  MDA_CLIENT_SECRET: secretReference
}
var tokenSettings = {
  MDA_API_TOKEN: secretReference
}
var anyHostSettings = {
  MDA_ALLOW_ANY_HOST: 'true'
}
var acceptSettings = {
  SCAN_ACCEPT_FILTERS: scanAcceptFilters
}
var scansSettings = {
  SCANS: string(scans)
}
var publicCloud = startsWith(storageSuffix, 'core.windows.')
var registeredSettings = union(registrationSettings, publicCloud ? {} : authoritySettings)
var authSettings = union(registered ? registeredSettings : {}, authMode == 'client-secret' ? clientSecretSettings : {}, authMode == 'api-token' ? tokenSettings : {})
var optionalSettings = union(allowAnyHost ? anyHostSettings : {}, empty(scanAcceptFilters) ? {} : acceptSettings, empty(scans) ? {} : scansSettings)

var scanSettings = {
  MDA_API_URL: checkedUrl
  MDA_AUTH: authMode
  SCAN_CONCURRENCY: string(scanConcurrency)
  SCAN_FILTERS: string(scanFilters)
  SCAN_FRESH: scanFresh
  SCAN_LIMIT: string(scanLimit)
  SCAN_LOOKBACK: scanLookback
  SCAN_NAME: scanName
  SCAN_REACH: scanReach
  SCAN_REQUESTS_PER_MINUTE: string(scanRequestsPerMinute)
  SCAN_SCHEDULE: schedule
  SCAN_SETTLE: scanSettle
  SCAN_SLICE: scanSlice
  SCAN_SORT_DIRECTION: scanSortDirection
  SCAN_SORT_FIELD: scanSortField
  SCAN_SWEEPS: scanSweeps
  SCAN_SWEEP_BY: scanSweepBy
  SCAN_TIME_BUDGET: timeBudget
  STORAGE_ACCOUNT_URL: dataUrl
  STORAGE_DATA_CONTAINER: dataContainer
  STORAGE_MANIFEST_CONTAINER: manifestContainer
  STORAGE_STATE_CONTAINER: stateContainer
}

// The network

var groupId = resourceGroup().id
var networkId = '${groupId}/providers/Microsoft.Network/virtualNetworks/${networkName}'
var hostAccountId = '${groupId}/providers/Microsoft.Storage/storageAccounts/${hostAccountName}'
var dataAccountId = '${groupId}/providers/Microsoft.Storage/storageAccounts/${dataAccountName}'
var vaultId = '${groupId}/providers/Microsoft.KeyVault/vaults/${vaultName}'

var appSubnetId = existingNetwork ? existingAppSubnetId : '${networkId}/subnets/app'
var endpointSubnetId = existingNetwork ? existingEndpointSubnetId : '${networkId}/subnets/endpoints'

var storageEndpoints = [
  {
    name: 'host-blob'
    service: 'blob'
    targetId: hostAccountId
  }
  {
    name: 'host-table'
    service: 'table'
    targetId: hostAccountId
  }
  {
    name: 'data-blob'
    service: 'blob'
    targetId: dataAccountId
  }
]

var directoryEndpoint = {
  name: 'data-dfs'
  service: 'dfs'
  targetId: dataAccountId
}
var queueEndpoint = {
  name: 'data-queue'
  service: 'queue'
  targetId: dataAccountId
}
var vaultEndpoint = {
  name: 'vault'
  service: 'vault'
  targetId: vaultId
}

var optionalEndpoints = concat(hierarchicalNamespace ? [directoryEndpoint] : [], notifications ? [queueEndpoint] : [], secret ? [vaultEndpoint] : [])
var endpoints = networkIsolation ? concat(storageEndpoints, optionalEndpoints) : []

var zoneNames = {
  blob: 'privatelink.blob.${storageSuffix}'
  dfs: 'privatelink.dfs.${storageSuffix}'
  queue: 'privatelink.queue.${storageSuffix}'
  table: 'privatelink.table.${storageSuffix}'
  vault: 'privatelink${replace(vaultSuffix, '.vault.', '.vaultcore.')}'
}

var storageZones = [zoneNames.blob, zoneNames.table]
var zonesWanted = concat(storageZones, hierarchicalNamespace ? [zoneNames.dfs] : [], notifications ? [zoneNames.queue] : [], secret ? [zoneNames.vault] : [])

var zonesPath = '${groupId}/providers/Microsoft.Network/privateDnsZones'
var ownZoneIds = {
  blob: '${zonesPath}/${zoneNames.blob}'
  dfs: '${zonesPath}/${zoneNames.dfs}'
  queue: '${zonesPath}/${zoneNames.queue}'
  table: '${zonesPath}/${zoneNames.table}'
  vault: '${zonesPath}/${zoneNames.vault}'
}
var noZoneIds = {
  blob: ''
  dfs: ''
  queue: ''
  table: ''
  vault: ''
}
var zoneIds = existingNetwork ? union(noZoneIds, existingDnsZoneIds) : ownZoneIds

module identity 'modules/identity.bicep' = {
  name: 'identity'
  params: {
    location: region
    tags: allTags
    identityName: identityName
  }
}

module telemetry 'modules/telemetry.bicep' = {
  name: 'telemetry'
  params: {
    location: region
    tags: allTags
    workspaceName: workspaceName
    componentName: componentName
    retentionDays: telemetryDays
    dailyCapGb: telemetryDailyCapGb
  }
}

module hostStorage 'modules/host-storage.bicep' = {
  name: 'host-storage'
  params: {
    location: region
    tags: allTags
    accountName: hostAccountName
    packageContainer: packageContainer
    private: networkIsolation
  }
}

module dataStorage 'modules/data-storage.bicep' = {
  name: 'data-storage'
  params: {
    location: region
    tags: allTags
    accountName: dataAccountName
    redundancy: storageRedundancy
    hierarchicalNamespace: hierarchicalNamespace
    private: networkIsolation
    notified: notifications
    dataContainer: dataContainer
    manifestContainer: manifestContainer
    stateContainer: stateContainer
    scanNames: scanNames
    recoveryDays: recoveryDays
    diagnosticsDays: diagnosticsDays
    coolAfterDays: coolAfterDays
    coldAfterDays: coldAfterDays
    deleteAfterDays: deleteAfterDays
    immutabilityDays: immutabilityDays
    immutabilityLocked: immutabilityLocked
    deleteLock: deleteLock
  }
}

module grants 'modules/grants.bicep' = {
  name: 'grants'
  params: {
    identityName: identityName
    principalId: identity.outputs.principalId
    hostAccountName: hostAccountName
    dataAccountName: dataAccountName
    dataContainer: dataContainer
    manifestContainer: manifestContainer
    stateContainer: stateContainer
    componentName: componentName
    readers: allReaders
    stateReaders: deployers
  }
  dependsOn: [
    dataStorage
    hostStorage
    telemetry
  ]
}

module vault 'modules/vault.bicep' = if (secret) {
  name: 'vault'
  params: {
    location: region
    tags: allTags
    vaultName: vaultName
    identityName: identityName
    principalId: identity.outputs.principalId
    administrators: administrators
    private: networkIsolation
    recoveryDays: vaultRecoveryDays
  }
}

module network 'modules/network.bicep' = if (networkIsolation && !existingNetwork) {
  name: 'network'
  params: {
    location: region
    tags: allTags
    networkName: networkName
    addressPrefix: networkAddressPrefix
    appSubnetPrefix: appSubnetPrefix
    endpointSubnetPrefix: endpointSubnetPrefix
    zoneNames: zonesWanted
    fixedOutboundAddress: fixedOutboundAddress
    gatewayName: gatewayName
  }
}

// One after the other: an account takes one change of this kind at a time.
@batchSize(1)
module privateEndpoints 'modules/private-endpoint.bicep' = [
  for endpoint in endpoints: {
    name: 'endpoint-${endpoint.name}'
    params: {
      location: region
      tags: allTags
      endpointName: 'pep-${endpoint.name}-${resourceToken}'
      subnetId: endpointSubnetId
      targetId: endpoint.targetId
      service: endpoint.service
      zoneId: zoneIds[endpoint.service]
    }
    dependsOn: [
      dataStorage
      hostStorage
      network
      vault
    ]
  }
]

module eventNotifications 'modules/notifications.bicep' = if (notifications) {
  name: 'notifications'
  params: {
    location: region
    tags: allTags
    topicName: topicName
    dataAccountName: dataAccountName
    dataContainer: dataContainer
    queues: queues
    eventSchema: notificationSchema
    readers: readers
  }
  dependsOn: [
    dataStorage
  ]
}

module app 'modules/app.bicep' = {
  name: 'app'
  params: {
    location: region
    tags: allTags
    planName: planName
    appName: appName
    identityName: identityName
    identityClientId: identity.outputs.clientId
    hostAccountName: hostAccountName
    packageContainer: packageContainer
    storageSuffix: storageSuffix
    connectionString: telemetry.outputs.connectionString
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    updateStrategy: updateStrategy
    subnetId: networkIsolation ? appSubnetId : ''
    private: networkIsolation
    programSettings: union(scanSettings, authSettings, optionalSettings)
  }
  // It starts as soon as it is there, so everything that it needs comes first.
  dependsOn: [
    dataStorage
    grants
    hostStorage
    network
    privateEndpoints
    vault
  ]
}

// Only what was asked for: a package that is published here and by a command would be published twice.
module package 'modules/package.bicep' = if (!empty(packageUri)) {
  name: 'package'
  params: {
    location: region
    appName: appName
    packageUri: packageUri
  }
  dependsOn: [
    app
  ]
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  params: {
    location: region
    tags: allTags
    resourceToken: resourceToken
    appName: appName
    appId: app.outputs.appId
    workspaceId: telemetry.outputs.workspaceId
    componentId: telemetry.outputs.componentId
    alertEmail: alertEmail
    noRunMinutes: noRunMinutes
    lagMinutes: lagMinutes
    doubtMinutes: doubtMinutes
    throttledPercent: throttledPercent
    enabled: alertsEnabled
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  params: {
    location: region
    tags: allTags
    resourceToken: resourceToken
    componentId: telemetry.outputs.componentId
    workspaceId: telemetry.outputs.workspaceId
    appName: appName
  }
}

var nobody = 'nobody: set alertEmail (with azd: azd env set ALERT_EMAIL) and deploy again'

// The names that azd, the scripts and people go on with

@description('Region of everything.')
output AZURE_LOCATION string = region

@description('Tenant of the subscription.')
output AZURE_TENANT_ID string = tenant().tenantId

@description('Resource group of everything.')
output AZURE_RESOURCE_GROUP string = resourceGroup().name

@description('Name of the function app.')
output FUNCTION_APP_NAME string = appName

@description('Client id of the collector\'s identity.')
output IDENTITY_CLIENT_ID string = identity.outputs.clientId

@description('Object id of the collector\'s identity, to which an administrator grants the role on the API.')
output IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId

@description('Where the data is.')
output STORAGE_ACCOUNT_URL string = dataUrl

@description('Container of parts.')
output STORAGE_DATA_CONTAINER string = dataContainer

@description('Container of manifests.')
output STORAGE_MANIFEST_CONTAINER string = manifestContainer

@description('Container of ledger, run log and quarantine.')
output STORAGE_STATE_CONTAINER string = stateContainer

@description('Vault that waits for the secret; empty when there is none.')
output KEY_VAULT_NAME string = secret ? vaultName : ''

@description('Name under which the secret is to be set there; empty when there is none.')
output KEY_VAULT_SECRET_NAME string = secret ? secretName : ''

@description('Queues that get a message for each new part, with commas between them; empty when there are none.')
output NOTIFICATION_QUEUE string = notifications ? join(queueNames, ',') : ''

@description('How the collector signs in to the Activities API.')
output MDA_AUTH string = authMode

@description('Tenant of the app registration; empty when there is none.')
output MDA_TENANT_ID string = registered ? mdaTenantId : ''

@description('Client id of the app registration; empty when there is none.')
output MDA_CLIENT_ID string = registered ? mdaClientId : ''

@description('Name of the Application Insights component.')
output APPLICATION_INSIGHTS_NAME string = componentName

@description('Whom alerts reach.')
output ALERTS_REACH string = empty(alertEmail) ? nobody : alertEmail

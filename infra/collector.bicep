// Deploys all of Activity Scan to an existing resource group. main.bicep creates the group and calls this
// template; a release, the deploy button and Terraform deploy it directly. docs/deployment.md explains how
// to deploy, what each option costs and what remains after deletion.

targetScope = 'resourceGroup'

// Required parameters

@description('Name that tells this deployment apart from others in the subscription. No URL contains it.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Region of all resources.')
@minLength(1)
param location string = resourceGroup().location

@description('API URL of the tenant, such as https://contoso.eu2.portal.cloudappsecurity.com. The Defender portal shows it under Settings, Cloud Apps, About.')
@minLength(1)
param apiUrl string

@description('Email address that receives the alerts. If it is empty, the alerts fire but reach nobody.')
param alertEmail string

// Names

@description('Suffix that makes the names of this deployment unique. If it is empty, it is derived from resource group, environment and region.')
@maxLength(13)
param nameToken string = ''

@description('Tags to set on every resource.')
param tags object = {}

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

// Contradictory parameters are reported here, all together, before anything is created. The deployer sees
// the messages as the name of a missing property: the Bicep function that fails with a message is newer
// than the tools that check these files.

var registered = authMode == 'federated' || authMode == 'client-secret'
var secret = authMode == 'client-secret' || authMode == 'api-token'
var vaulted = secret || !empty(scanSecrets)
var existingNetwork = !empty(existingAppSubnetId) || !empty(existingEndpointSubnetId)

var registrationMissing = registered && (empty(mdaTenantId) || empty(mdaClientId))
var registrationProblem = 'authMode ${authMode} signs in as an app registration: set mdaTenantId and mdaClientId.'

// The API exists in three clouds. People copy its address with parts of the path after the host. On the
// host that all tenants share, the API is below /cas. The settings of the program follow the same rules.
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
var wrongAddressProblem = 'apiUrl is ${apiUrl}, which is not an address of the API. Use one such as https://contoso.eu2.portal.cloudappsecurity.com; the Defender portal shows it under Settings, Cloud Apps, About, as API URL.'

var deployer = {
  principalId: deployerId
  principalType: deployerType
}
var deployers = empty(deployerId) ? [] : [deployer]

// The deployer may also be named as a reader or an administrator and is not added twice: Azure refuses to
// grant a principal the same role at the same scope again.
var administratorIds = [for administrator in vaultAdministrators: toLower(administrator.principalId)]
var readerIds = [for reader in readers: toLower(reader.principalId)]
var administrators = concat(vaultAdministrators, contains(administratorIds, toLower(deployerId)) ? [] : deployers)
var allReaders = concat(readers, contains(readerIds, toLower(deployerId)) ? [] : deployers)

var nobodySetsIt = vaulted && empty(administrators)
var keptInVault = secret ? 'authMode ${authMode} keeps its secret' : 'scanSecrets keeps secrets'
var nobodySetsItProblem = '${keptInVault} in a vault, but nobody may set the secret: set deployerId to your object id, or name somebody in vaultAdministrators.'

var queuesUnused = !notifications && !empty(notificationQueues)
var queuesUnusedProblem = 'notificationQueues is set, but notifications is off: switch it on, or remove the queues.'

var vaultMissing = !vaulted && !empty(vaultAdministrators)
var vaultProblem = 'vaultAdministrators is set, but authMode ${authMode} has no vault: remove the administrators, or choose another authMode.'

var oddSecrets = [for name in scanSecrets: startsWith(name, 'MDA_CLIENT_SECRET_') || startsWith(name, 'MDA_API_TOKEN_') ? '' : name]
var wrongSecrets = !empty(join(oddSecrets, '')) || length(union(scanSecrets, [])) < length(scanSecrets)
var secretsProblem = 'scanSecrets has ${join(scanSecrets, ', ')}: give each setting once, and begin its name with MDA_CLIENT_SECRET_ or MDA_API_TOKEN_.'

var isolationMissing = existingNetwork && !networkIsolation
var isolationProblem = 'Existing subnets are set, but networkIsolation is off: switch it on, or remove the subnets.'

var subnetMissing = existingNetwork && (empty(existingAppSubnetId) || empty(existingEndpointSubnetId))
var subnetProblem = 'An existing network needs both existingAppSubnetId and existingEndpointSubnetId.'

var zonesAlone = !empty(existingDnsZoneIds) && !existingNetwork
var zonesProblem = 'existingDnsZoneIds is set without existing subnets: set those, too, or remove the zones and let the deployment create both.'

var noWayOut = fixedOutboundAddress && (!networkIsolation || existingNetwork)
var noWayOutProblem = 'fixedOutboundAddress needs networkIsolation and a network that this deployment creates: an existing network has its own route to the internet.'

var deletesTooEarly = deleteAfterDays > 0 && deleteAfterDays < 32
var deletesTooEarlyProblem = 'deleteAfterDays is ${deleteAfterDays}: sweeps read parts again for as long as the API shows activities, so the minimum is 32.'

var deletesForbidden = deleteAfterDays > 0 && deleteAfterDays < immutabilityDays
var deletesForbiddenProblem = 'deleteAfterDays is ${deleteAfterDays}, but immutabilityDays, ${immutabilityDays}, forbids deletion before then.'

var coldTooEarly = coldAfterDays > 0 && coldAfterDays <= coolAfterDays
var coldTooEarlyProblem = 'coldAfterDays is ${coldAfterDays}: it must be more than coolAfterDays, ${coolAfterDays}.'

var deletesBeforeTiers = deleteAfterDays > 0 && deleteAfterDays <= max(coolAfterDays, coldAfterDays)
var deletesBeforeTiersProblem = 'deleteAfterDays is ${deleteAfterDays}: it must be more than coolAfterDays and coldAfterDays.'

var nothingLocked = immutabilityLocked && immutabilityDays == 0
var nothingLockedProblem = 'immutabilityLocked is set, but immutabilityDays is 0: set it to the number of days of the locked policies.'

// The containers of each kind, each once: those of the app, then those of scans with their own.
var containersOfApp = {
  dataContainer: dataContainer
  manifestContainer: manifestContainer
  stateContainer: stateContainer
}
var scansStored = [for entry in scanContainers: union(containersOfApp, entry)]
var dataOfScans = [for entry in scansStored: entry.dataContainer]
var manifestsOfScans = [for entry in scansStored: entry.manifestContainer]
var statesOfScans = [for entry in scansStored: entry.stateContainer]
var dataContainers = union([dataContainer], dataOfScans)
var manifestContainers = union([manifestContainer], manifestsOfScans)
var stateContainers = union([stateContainer], statesOfScans)
var allContainers = concat(dataContainers, manifestContainers, stateContainers)

var oneContainerTwice = length(union(allContainers, [])) < length(allContainers)
var oneContainerTwiceProblem = 'dataContainer, manifestContainer and stateContainer must be three different containers, and no scan may use one of another kind.'

var namesOfEntries = [for entry in scanContainers: entry.name]
var oneScanTwice = length(union(namesOfEntries, [])) < length(namesOfEntries)
var oneScanTwiceProblem = 'scanContainers names a scan twice: give each scan one entry.'

var tableShares = table && contains(allContainers, tableContainer)
var tableSharesProblem = 'tableContainer is ${tableContainer}, which holds something else: the table needs a container without rules or policies of others.'

var oneNameTwice = table && !empty(tableFunctionAppName) && toLower(tableFunctionAppName) == toLower(functionAppName)
var oneNameTwiceProblem = 'tableFunctionAppName and functionAppName are both ${functionAppName}: give each app its own name.'

var addressProblems = concat(wrongAddress ? [wrongAddressProblem] : [], queuesUnused ? [queuesUnusedProblem] : [])
var setterProblems = concat(vaultMissing ? [vaultProblem] : [], nobodySetsIt ? [nobodySetsItProblem] : [])
var vaultProblems = concat(setterProblems, wrongSecrets ? [secretsProblem] : [])
var signInProblems = concat(addressProblems, registrationMissing ? [registrationProblem] : [], vaultProblems)
var existingProblems = concat(isolationMissing ? [isolationProblem] : [], subnetMissing ? [subnetProblem] : [], zonesAlone ? [zonesProblem] : [])
var networkProblems = concat(existingProblems, noWayOut ? [noWayOutProblem] : [])
var deleteProblems = concat(deletesTooEarly ? [deletesTooEarlyProblem] : [], deletesForbidden ? [deletesForbiddenProblem] : [])
var tierProblems = concat(coldTooEarly ? [coldTooEarlyProblem] : [], deletesBeforeTiers ? [deletesBeforeTiersProblem] : [])
var containerProblems = concat(oneContainerTwice ? [oneContainerTwiceProblem] : [], oneScanTwice ? [oneScanTwiceProblem] : [])
var otherProblems = concat(nothingLocked ? [nothingLockedProblem] : [], containerProblems)
var tableProblems = concat(tableShares ? [tableSharesProblem] : [], oneNameTwice ? [oneNameTwiceProblem] : [])
var problems = concat(signInProblems, networkProblems, deleteProblems, tierProblems, otherProblems, tableProblems)

var fitting = {
  parameters: environmentName
}
var parametersFitTogether = fitting[empty(problems) ? 'parameters' : join(problems, ' ')]

// Names. Those that must be unique in Azure are derived from resource group, environment and region. The
// region is normalised first: 'West Europe' and 'westeurope' give the same names.

var region = toLower(replace(location, ' ', ''))
var ownToken = uniqueString(resourceGroup().id, environmentName, region)
var resourceToken = empty(nameToken) ? ownToken : nameToken
var allTags = union(tags, {
  'azd-env-name': parametersFitTogether
})

var appName = empty(functionAppName) ? 'func-activity-scan-${resourceToken}' : functionAppName
// The host takes the first 32 characters of an app's name for its id. They must differ on one host account,
// and here each app has its own.
var tableAppName = empty(tableFunctionAppName) ? 'func-activity-table-${resourceToken}' : tableFunctionAppName
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

// Each scan has its own folder. Without scans there is one, named scanName.
var namesOfScans = [for scan in scans: scan.name]
var scanNames = empty(scans) ? [scanName] : namesOfScans

var usualQueue = {
  name: 'new-parts'
}
var queues = empty(notificationQueues) ? [usualQueue] : notificationQueues
var queueNames = [for queue in queues: queue.name]

var dataUrl = 'https://${dataAccountName}.blob.${storageSuffix}'

// The program's settings (docs/settings.md)

// The reference gives the vault's URL, which works in every cloud. Azure looks up a vault that is given by
// name in the public cloud only.
var secretsUrl = 'https://${vaultName}${vaultSuffix}/secrets'
var secretReference = '@Microsoft.KeyVault(SecretUri=${secretsUrl}/${secretName})'

// The name of a secret may have no underscore.
var scanSecretNames = [for name in scanSecrets: toLower(replace(name, '_', '-'))]
var scanSecretMembers = [for (name, place) in scanSecrets: '"${name}":"@Microsoft.KeyVault(SecretUri=${secretsUrl}/${scanSecretNames[place]})"']
var scanSecretSettings = json('{${join(scanSecretMembers, ',')}}')

var registrationSettings = {
  MDA_CLIENT_ID: mdaClientId
  MDA_TENANT_ID: mdaTenantId
}
// Without this setting the Azure SDK would sign app registrations in to the public cloud.
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
var doctorSettings = {
  SCAN_DOCTOR: scanDoctor
}
var scansSettings = {
  SCANS: string(scans)
}
var fanOutSettings = {
  SCAN_FAN_OUT: 'true'
}
var publicCloud = startsWith(storageSuffix, 'core.windows.')
var registeredSettings = union(registrationSettings, publicCloud ? {} : authoritySettings)
var authSettings = union(registered ? registeredSettings : {}, authMode == 'client-secret' ? clientSecretSettings : {}, authMode == 'api-token' ? tokenSettings : {})
var optionalSettings = union(
  allowAnyHost ? anyHostSettings : {},
  empty(scanAcceptFilters) ? {} : acceptSettings,
  empty(scanDoctor) ? {} : doctorSettings,
  empty(scans) ? {} : scansSettings,
  scanSecretSettings,
  fanOut ? fanOutSettings : {}
)

var scanSettings = {
  MDA_API_URL: checkedUrl
  MDA_AUTH: authMode
  SCAN_CONCURRENCY: string(scanConcurrency)
  SCAN_DOUBT_ALERT: '${doubtMinutes}m'
  SCAN_FILTERS: string(scanFilters)
  SCAN_FRESH: scanFresh
  SCAN_LAG_ALERT: '${lagMinutes}m'
  SCAN_LIMIT: string(scanLimit)
  SCAN_LOOKBACK: scanLookback
  SCAN_NAME: scanName
  SCAN_PAUSE_ALERT: '${pauseHours}h'
  SCAN_REACH: scanReach
  SCAN_REQUESTS_PER_MINUTE: string(scanRequestsPerMinute)
  SCAN_SCHEDULE: schedule
  SCAN_SETTLE: scanSettle
  SCAN_SLICE: scanSlice
  SCAN_SORT_DIRECTION: scanSortDirection
  SCAN_SORT_FIELD: scanSortField
  SCAN_SWEEPS: scanSweeps
  SCAN_SWEEP_BY: scanSweepBy
  SCAN_THROTTLED_ALERT: string(throttledPercent)
  SCAN_TIME_BUDGET: timeBudget
  STORAGE_ACCOUNT_URL: dataUrl
  STORAGE_DATA_CONTAINER: dataContainer
  STORAGE_MANIFEST_CONTAINER: manifestContainer
  STORAGE_STATE_CONTAINER: stateContainer
}

// The table's app finds the feed by the collector's own settings.
var tableSettings = {
  SCAN_NAME: scanName
  STORAGE_ACCOUNT_URL: dataUrl
  STORAGE_DATA_CONTAINER: dataContainer
  STORAGE_MANIFEST_CONTAINER: manifestContainer
  STORAGE_STATE_CONTAINER: stateContainer
  TABLE_BEHIND_ALERT: '${tableBehindMinutes}m'
  TABLE_CONTAINER: tableContainer
  TABLE_DELETE_AFTER_DAYS: string(tableDeleteAfterDays)
  TABLE_SCHEDULE: tableSchedule
  TABLE_TIME_BUDGET: tableTimeBudget
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
var hostQueueEndpoint = {
  name: 'host-queue'
  service: 'queue'
  targetId: hostAccountId
}
var vaultEndpoint = {
  name: 'vault'
  service: 'vault'
  targetId: vaultId
}

var optionalEndpoints = concat(hierarchicalNamespace ? [directoryEndpoint] : [], notifications ? [queueEndpoint] : [], fanOut ? [hostQueueEndpoint] : [], vaulted ? [vaultEndpoint] : [])
var endpoints = networkIsolation ? concat(storageEndpoints, optionalEndpoints) : []

var zoneNames = {
  blob: 'privatelink.blob.${storageSuffix}'
  dfs: 'privatelink.dfs.${storageSuffix}'
  queue: 'privatelink.queue.${storageSuffix}'
  table: 'privatelink.table.${storageSuffix}'
  vault: 'privatelink${replace(vaultSuffix, '.vault.', '.vaultcore.')}'
}

var storageZones = [zoneNames.blob, zoneNames.table]
var zonesWanted = concat(storageZones, hierarchicalNamespace ? [zoneNames.dfs] : [], notifications || fanOut ? [zoneNames.queue] : [], vaulted ? [zoneNames.vault] : [])

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
    fanOut: fanOut
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
    dataContainers: dataContainers
    manifestContainers: manifestContainers
    stateContainers: stateContainers
    tableContainer: table ? tableContainer : ''
    scanNames: scanNames
    scansStored: scansStored
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
    dataContainers: dataContainers
    manifestContainers: manifestContainers
    stateContainers: stateContainers
    componentName: componentName
    fanOut: fanOut
    readers: allReaders
    stateReaders: deployers
  }
  dependsOn: [
    dataStorage
    hostStorage
    telemetry
  ]
}

// A scan that names no readers has those of the app. Nobody is granted anything here on a container of the
// app: it may hold what belongs to others. Where scans share a container, the first of them says who reads it.
module scanReaders 'modules/scan-readers.bicep' = [
  for (entry, place) in scanContainers: {
    name: 'readers-of-${entry.name}'
    params: {
      dataAccountName: dataAccountName
      dataContainer: dataOfScans[place] == dataContainer || indexOf(dataOfScans, dataOfScans[place]) < place ? '' : dataOfScans[place]
      manifestContainer: manifestsOfScans[place] == manifestContainer || indexOf(manifestsOfScans, manifestsOfScans[place]) < place ? '' : manifestsOfScans[place]
      stateContainer: statesOfScans[place] == stateContainer || indexOf(statesOfScans, statesOfScans[place]) < place ? '' : statesOfScans[place]
      readers: contains(entry, 'readers') ? union(entry.readers, deployers) : allReaders
      stateReaders: deployers
    }
    dependsOn: [
      dataStorage
    ]
  }
]

module vault 'modules/vault.bicep' = if (vaulted) {
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

// One at a time: a storage account accepts only one such change at once.
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
    dataContainers: dataContainers
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
    serviceName: 'collector'
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
  // The app starts as soon as it exists, so everything that it needs must exist before it.
  dependsOn: [
    dataStorage
    grants
    hostStorage
    network
    privateEndpoints
    vault
  ]
}

// Only on request: a deployment that is followed by a publishing command would publish twice.
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
    stateUrl: '${dataUrl}/${stateContainer}'
    noRunMinutes: noRunMinutes
    fanOut: fanOut
    enabled: alertsEnabled
  }
}

var actionGroupId = '${groupId}/providers/Microsoft.Insights/actionGroups/ag-${resourceToken}'

module tableApp 'modules/table.bicep' = if (table) {
  name: 'table'
  params: {
    location: region
    tags: allTags
    resourceToken: resourceToken
    appName: tableAppName
    dataAccountName: dataAccountName
    dataContainers: dataContainers
    manifestContainers: manifestContainers
    stateContainer: stateContainer
    tableContainer: tableContainer
    // The table holds the activities of all scans. The readers may not read containers that scans have of
    // their own, so they may not read such activities here.
    readers: empty(scanContainers) ? allReaders : deployers
    componentName: componentName
    componentId: telemetry.outputs.componentId
    workspaceId: telemetry.outputs.workspaceId
    connectionString: telemetry.outputs.connectionString
    storageSuffix: storageSuffix
    maximumInstanceCount: maximumInstanceCount
    updateStrategy: updateStrategy
    programSettings: union(tableSettings, empty(scans) ? {} : scansSettings)
    private: networkIsolation
    appSubnetId: networkIsolation ? appSubnetId : ''
    endpointSubnetId: networkIsolation ? endpointSubnetId : ''
    zoneIds: zoneIds
    actionGroupIds: empty(alertEmail) ? [] : [actionGroupId]
    noRunMinutes: tableNoRunMinutes
    alertsEnabled: alertsEnabled
  }
  dependsOn: [
    alerts
    dataStorage
    network
    privateEndpoints
  ]
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

// Outputs, for azd, the scripts and readers

@description('Region of all resources.')
output AZURE_LOCATION string = region

@description('Tenant of the subscription.')
output AZURE_TENANT_ID string = tenant().tenantId

@description('Resource group of all resources.')
output AZURE_RESOURCE_GROUP string = resourceGroup().name

@description('Name of the function app.')
output FUNCTION_APP_NAME string = appName

@description('Client id of the collector\'s identity.')
output IDENTITY_CLIENT_ID string = identity.outputs.clientId

@description('Object id of the collector\'s identity, to which an administrator grants the role on the API.')
output IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId

@description('URL of the storage account for the data.')
output STORAGE_ACCOUNT_URL string = dataUrl

@description('Container for the parts.')
output STORAGE_DATA_CONTAINER string = dataContainer

@description('Container for the manifests.')
output STORAGE_MANIFEST_CONTAINER string = manifestContainer

@description('Container for the ledger, the run logs and the quarantine.')
output STORAGE_STATE_CONTAINER string = stateContainer

@description('Name of the vault in which an administrator sets the secrets; empty without a vault.')
output KEY_VAULT_NAME string = vaulted ? vaultName : ''

@description('Name of the secret of authMode in the vault; empty without one.')
output KEY_VAULT_SECRET_NAME string = secret ? secretName : ''

@description('Comma-separated names of the secrets of scans in the vault.')
output KEY_VAULT_SCAN_SECRETS string = join(scanSecretNames, ',')

@description('Comma-separated names of the queues that receive a message for each new part; empty without notifications.')
output NOTIFICATION_QUEUE string = notifications ? join(queueNames, ',') : ''

@description('Name of the table\'s function app; empty without a table.')
output TABLE_APP_NAME string = table ? tableAppName : ''

@description('How the collector signs in to the Activities API.')
output MDA_AUTH string = authMode

@description('Tenant id of the app registration; empty without one.')
output MDA_TENANT_ID string = registered ? mdaTenantId : ''

@description('Client id of the app registration; empty without one.')
output MDA_CLIENT_ID string = registered ? mdaClientId : ''

@description('Name of the Application Insights component.')
output APPLICATION_INSIGHTS_NAME string = componentName

@description('Email address that alerts reach, or how to set one.')
output ALERTS_REACH string = empty(alertEmail) ? nobody : alertEmail

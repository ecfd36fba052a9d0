// The alert rules. The log rules read the report line, the line of JSON that every run of every scan writes
// at its end (docs/formats.md). The program decides what needs a person, and the line says so; the rules about
// runs cover what no run can report about itself. Nothing reads logged errors and exceptions: the platform logs
// some of its own when it moves an app, and those say nothing about activities. docs/monitoring.md explains what
// each rule means and what no rule can see.

targetScope = 'resourceGroup'

@description('Region of the log rules, which must be that of the workspace.')
param location string

@description('Tags of all resources in this module.')
param tags object

@description('Suffix that makes the names of this deployment unique.')
param resourceToken string

@description('Name of the function app, which its telemetry gives as the role name.')
param appName string

@description('Resource id of the function app. The platform counts its executions.')
param appId string

@description('Resource id of the Log Analytics workspace that holds the telemetry.')
param workspaceId string

@description('Resource id of the Application Insights component. Every alert names it, since that is where to look first.')
param componentId string

@description('Address of the container with the state of the scans, where the page of each scan is.')
param stateUrl string

@description('Email address that receives the alerts. If it is empty, the alerts fire but reach nobody.')
param alertEmail string = ''

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

@description('Whether the timer hands scans to workers through a queue.')
param fanOut bool = false

@description('Whether the rules are evaluated.')
param enabled bool = true

// The service accepts only these durations, in this notation.
var durations = {
  '15': 'PT15M'
  '30': 'PT30M'
  '45': 'PT45M'
  '60': 'PT1H'
  '120': 'PT2H'
  '180': 'PT3H'
  '240': 'PT4H'
  '300': 'PT5H'
  '360': 'PT6H'
  '1440': 'P1D'
  '2880': 'P2D'
}
var runWindow = durations[string(noRunMinutes)]

// Metric rules accept fewer durations.
var executionHours = noRunMinutes <= 60 ? 1 : (noRunMinutes <= 360 ? 6 : 24)

// Every alert names the page about a scan. The container is private: only its readers can open the page.
var page = '${stateUrl}/scan=NAME/status.html'

// The beginning of every query. AppTraces does not exist before the app's first telemetry. A query over a
// missing table is an error, and after a week of errors the service disables the rule. The union with an
// empty table prevents the error.
var linesOfAnApp = '''
union isfuzzy=true (datatable(TimeGenerated: datetime, AppRoleName: string, Message: string)[]), AppTraces
| where AppRoleName =~ "APP_NAME"
| where Message startswith '{"event":"scan"'
'''
var lines = replace(linesOfAnApp, 'APP_NAME', appName)

// For the rules about runs, which read a whole line. Lines of version 1.0.0 do not name the host of the API.
var reports = '''
| extend report = parse_json(Message)
| where tostring(report.event) == "scan"
| extend Scan = iff(isempty(tostring(report["scan"])), "(all)", tostring(report["scan"]))
| extend Api = iff(isempty(tostring(report.api)), "(unknown)", tostring(report.api))
| extend Outcome = tostring(report.outcome), Error = tostring(report.error), Help = tostring(report.help)
'''

// A run that found the scan claimed by another run, that was taken over, that came too late, or that could not
// trust the clocks, does not count as successful.
var noRunQuery = '''
| where Outcome !in ("failed", "busy", "superseded", "expired", "clocks differ")
'''

var failingQuery = '''
| summarize Runs = count(), Done = countif(Outcome !in ("failed", "busy", "superseded", "expired", "clocks differ")), arg_max(TimeGenerated, Api, Outcome, Error, Help) by Scan
| where Done == 0
| extend Cause = iff(isempty(Error), Outcome, Error)
| extend Help = case(isnotempty(Help), Help, Outcome == "clocks differ", "docs/runbook.md#clocks-differ", Outcome == "expired", "docs/runbook.md#expired-messages", "docs/runbook.md#busy")
| project Scan, Api, Cause, Help, Runs
'''

// What needs a person is decided by the program, and these rules only read it. A line without the field is
// that of a run that could not read the ledger; the line before it still holds. The field is taken out of the
// text, so that it is found even in a line that was cut off further on and is no longer JSON. Within strings,
// quotes are escaped, so the pattern matches nothing else.
var attentionOfSeverity = '''
| extend Scan = extract(@'^\{"event":"scan","scan":"([^"]+)"', 1, Message)
| extend Host = extract(@'^\{"event":"scan","scan":"[^"]+","api":"([^"]+)"', 1, Message)
| extend Attention = extract(@'"attention":(\[(?:[^"\]]|"(?:[^"\\]|\\.)*")*\])', 1, Message)
| where isnotempty(Scan) and isnotempty(Attention)
| summarize arg_max(TimeGenerated, Host, Attention) by Scan
| mv-expand Entry = parse_json(Attention)
| where toint(Entry["severity"]) == SEVERITY
| extend Since = datetime(1970-01-01) + tolong(Entry["since"]) / 1000 * 1s, Text = tostring(Entry["text"])
| extend Api = iff(isempty(Host), "(unknown)", Host)
| project Scan, Api, Kind = tostring(Entry["kind"]), Help = tostring(Entry["help"]), Since, Text
'''

// Two runs are less than half of noRunMinutes apart, so this window always has a line of each scan. A scan that
// was removed alerts for as long at most.
var attentionWindow = noRunMinutes < 1440 ? 'P1D' : 'P2D'

// The workspace's own log always exists and is collected even beyond the cap.
var capQuery = '''
_LogOperation
| where Category =~ "Ingestion"
| where Detail contains "OverQuota"
'''

// Only the host knows how often a message failed, so this rule reads what the host logs when it gives up.
var poisonQuery = '''
union isfuzzy=true (datatable(TimeGenerated: datetime, AppRoleName: string, Message: string)[]), AppTraces
| where AppRoleName =~ "APP_NAME"
| where Message startswith "Message has reached MaxDequeueCount" and Message contains "due-scans-poison"
'''

// A rule that queries every 15 minutes costs a third of one that queries every 5, and nothing is lost within a
// quarter of an hour.
var runRules = [
  {
    name: 'no-run'
    title: 'no successful run'
    meaning: 'No run of any scan has succeeded for ${noRunMinutes} minutes, so nothing is collected. If another alert of this app names the cause, follow that one. Otherwise check whether the function runs at all.'
    help: 'docs/runbook.md#no-successful-run'
    severity: 1
    query: '${lines}${reports}${noRunQuery}'
    windowSize: runWindow
    evaluationFrequency: 'PT15M'
    timeAggregation: 'Count'
    measure: ''
    operator: 'LessThan'
    threshold: 1
    dimensions: []
  }
  {
    name: 'failing'
    title: 'every run of a scan fails'
    meaning: 'This scan ran at least twice in ${noRunMinutes} minutes and never succeeded, so it collects nothing new. The dimension Cause has the class of the newest error, or the outcome (busy, superseded, expired, clocks differ), and the dimension Help has the section of the runbook about it. The dimensions Scan and Api name the scan and the host of its tenant. The scan "(all)" means that the settings are invalid.'
    help: 'docs/runbook.md#failing-runs'
    severity: 1
    query: '${lines}${reports}${failingQuery}'
    windowSize: runWindow
    evaluationFrequency: 'PT15M'
    timeAggregation: 'Total'
    measure: 'Runs'
    operator: 'GreaterThan'
    threshold: 1
    dimensions: [
      'Scan'
      'Api'
      'Cause'
      'Help'
    ]
  }
  {
    name: 'cap'
    title: 'the workspace has stopped collecting'
    meaning: 'The workspace has reached its daily cap. Until it collects again, the other log alerts see nothing new: the alert about missing runs fires, and the others keep reporting what they saw last. The scan itself continues.'
    help: 'docs/runbook.md#daily-cap'
    severity: 2
    query: capQuery
    windowSize: 'PT1H'
    evaluationFrequency: 'PT15M'
    timeAggregation: 'Count'
    measure: ''
    operator: 'GreaterThan'
    threshold: 0
    dimensions: []
  }
]

var poisonRule = {
  name: 'poison'
  title: 'a message has lost five workers'
  meaning: 'Five times, a worker ended before it could report anything, or it could not read the message that hands scans to it. The host has put the message aside. The scans of the message are not run.'
  help: 'docs/runbook.md#poison-messages'
  severity: 2
  query: replace(poisonQuery, 'APP_NAME', appName)
  windowSize: 'PT1H'
  evaluationFrequency: 'PT30M'
  timeAggregation: 'Count'
  measure: ''
  operator: 'GreaterThan'
  threshold: 0
  dimensions: []
}

// Severity 1: activities are not collected or are lost, and somebody has to act today. Severity 2: the scan
// falls behind or will do so, with days to spare; the next working day is early enough. Severity 3: worth
// knowing. There is no severity 0: only those who use the activities know whether late ones are an emergency.
var severities = [
  {
    severity: 1
    title: 'needs a person today'
    kinds: 'soon-lost (time that is not covered leaves the reach of the API within three days) or lost (within the past day, time was declared lost for good)'
    evaluationFrequency: 'PT15M'
  }
  {
    severity: 2
    title: 'needs a person on the next working day'
    kinds: 'lag (the scan is behind), blocked (the API or storage cannot serve a stretch of time), over-budget (the runs cannot send enough requests), quiet (far less comes than usual), paused (somebody paused the scan a long time ago) or scan-list (the newest list of scans is wrong, and the last valid one is in use)'
    evaluationFrequency: 'PT30M'
  }
  {
    severity: 3
    title: 'worth knowing'
    kinds: 'doubt (the API contradicted itself, and sweeps have not cleared that), sweeps-behind (late activities arrive later than planned) or throttled (other programs use up the requests of the tenant)'
    evaluationFrequency: 'PT1H'
  }
]
var attentionRules = [
  for it in severities: {
    name: 'attention-${it.severity}'
    title: it.title
    meaning: 'The newest report of this scan says that something needs a person. The dimensions Scan and Api name the scan and the host of its tenant. The dimension Kind says what: ${it.kinds}. The dimension Help has the section of the runbook about it, and the search results have its text and when it began.'
    help: 'docs/runbook.md#alerts'
    severity: it.severity
    query: '${lines}${replace(attentionOfSeverity, 'SEVERITY', string(it.severity))}'
    windowSize: attentionWindow
    evaluationFrequency: it.evaluationFrequency
    timeAggregation: 'Count'
    measure: ''
    operator: 'GreaterThan'
    threshold: 0
    dimensions: [
      'Scan'
      'Api'
      'Kind'
      'Help'
    ]
  }
]
var rules = concat(runRules, attentionRules, fanOut ? [poisonRule] : [])

// Without an address there is nobody to notify.
resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(alertEmail)) {
  name: 'ag-${resourceToken}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'ActivityScan'
    enabled: true
    emailReceivers: [
      {
        name: 'email'
        emailAddress: alertEmail
        useCommonAlertSchema: true
      }
    ]
  }
}

var told = empty(alertEmail) ? [] : [people.id]

// Validation of the queries is skipped, since their tables do not exist at the first deployment. Every query
// evaluates its whole window at once, so one period is enough.
resource logRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: 'alert-${rule.name}-${resourceToken}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'Activity Scan: ${rule.title} (${appName})'
      description: '${rule.meaning} How the scan is: ${page}. What to do: ${rule.help}'
      severity: rule.severity
      enabled: enabled
      scopes: [
        workspaceId
      ]
      evaluationFrequency: rule.evaluationFrequency
      windowSize: rule.windowSize
      autoMitigate: true
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: rule.timeAggregation
            metricMeasureColumn: empty(rule.measure) ? null : rule.measure
            operator: rule.operator
            threshold: rule.threshold
            dimensions: [
              for name in rule.dimensions: {
                name: name
                operator: 'Include'
                values: [
                  '*'
                ]
              }
            ]
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: told
        customProperties: {
          component: componentId
          help: rule.help
          page: page
        }
      }
    }
  }
]

// The dead man's switch. The platform counts the executions, so this rule needs neither the app nor the
// workspace nor Application Insights, and a metric rule is not disabled after errors.
resource noExecution 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'alert-no-execution-${resourceToken}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The platform has not executed the function for ${executionHours} h, because the timer does not fire: the app is stopped, its last deployment has no functions, or the platform has lost track of the timer. How the scan is: ${page}. What to do: docs/runbook.md#no-successful-run'
    severity: 1
    enabled: enabled
    scopes: [
      appId
    ]
    evaluationFrequency: 'PT15M'
    windowSize: executionHours == 24 ? 'P1D' : 'PT${executionHours}H'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'executions'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.Web/sites'
          metricName: 'OnDemandFunctionExecutionCount'
          timeAggregation: 'Total'
          operator: 'LessThan'
          threshold: 1
          // The metric does not exist before the first execution.
          skipMetricValidation: true
        }
      ]
    }
    actions: [
      for group in told: {
        actionGroupId: group
        webHookProperties: {
          component: componentId
          help: 'docs/runbook.md#no-successful-run'
          page: page
        }
      }
    ]
  }
}

@description('Resource id of the action group that the rules notify; empty without an address.')
output actionGroupId string = empty(alertEmail) ? '' : people.id

// What wakes somebody up. The log rules read the report line, the one line of JSON that every run
// of every scan ends with (docs/formats.md), and no errors or exceptions: the platform logs some of
// its own when it moves an app, and an alert on those says nothing about activities.
// docs/monitoring.md tells what each rule means and what none of them sees.

targetScope = 'resourceGroup'

@description('Region of the log rules: that of the workspace.')
param location string

@description('Tags of everything that is made here.')
param tags object

@description('The part of every name that tells deployments apart.')
param resourceToken string

@description('Name of the function app, which its telemetry carries as its role.')
param appName string

@description('Resource id of the function app, whose executions the platform counts.')
param appId string

@description('Resource id of the Log Analytics workspace with the telemetry.')
param workspaceId string

@description('Resource id of the Application Insights component that sends the telemetry; people who are alerted look there first.')
param componentId string

@description('Who is written to. Empty: the rules are made and fire, and nobody is told.')
param alertEmail string = ''

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

@description('Whether the rules are evaluated.')
param enabled bool = true

// The service knows these lengths of time only, and only in this notation.
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

// A metric rule knows fewer.
var executionHours = noRunMinutes <= 60 ? 1 : (noRunMinutes <= 360 ? 6 : 24)

// How every query begins. The table appears with the app's first telemetry, and a query over a
// table that does not exist is an error, after a week of which the service disables the rule. An
// empty table beside it makes it none.
var reportsOfAnApp = '''
union isfuzzy=true (datatable(TimeGenerated: datetime, AppRoleName: string, Message: string)[]), AppTraces
| where AppRoleName =~ "APP_NAME"
| where Message startswith '{"event":"scan"'
| extend report = parse_json(Message)
| where tostring(report.event) == "scan"
| extend Scan = iff(isempty(tostring(report["scan"])), "(all)", tostring(report["scan"]))
| extend Outcome = tostring(report.outcome), Error = tostring(report.error)
'''
var reports = replace(reportsOfAnApp, 'APP_NAME', appName)

// A run that only met another run's claim, or clocks that it cannot trust, was not successful.
var noRunQuery = '''
| where Outcome !in ("failed", "busy", "clocks differ")
'''

// A newest run that was refused has a rule of its own, which says more.
var failingQuery = '''
| summarize Runs = count(), Done = countif(Outcome !in ("failed", "busy", "clocks differ")), arg_max(TimeGenerated, Outcome, Error) by Scan
| where Done == 0 and Error !in ("SourceRefused", "TokenRefused")
| extend Cause = iff(isempty(Error), Outcome, Error)
| project Scan, Cause, Runs
'''

// The newest run counts, so that the alert ends as soon as somebody has mended it.
var refusedQuery = '''
| summarize Refused = countif(Error in ("SourceRefused", "TokenRefused")), arg_max(TimeGenerated, Error) by Scan
| where Error in ("SourceRefused", "TokenRefused")
| project Scan, Refused
'''

// The least of an hour: one late run is none of anybody's business. A backlog that melts so fast
// that it is gone within a day needs nobody either: a first run begins a week back.
var lagQuery = '''
| extend Lag = todouble(report.lag_seconds), Backlog = todouble(report.backlog_seconds)
| where isnotnull(Lag)
| extend Newer = TimeGenerated > ago(30m)
| summarize LagMinutes = min(Lag) / 60, Left = min(iff(Newer, Backlog, real(null))), Before = min(iff(Newer, real(null), Backlog)) by Scan
| extend MeltedInHalfAnHour = coalesce(Before - Left, 0.0)
| where MeltedInHalfAnHour * 48 < coalesce(Left, Before)
| project Scan, LagMinutes
'''

var soonLostQuery = '''
| summarize HoursSoonLost = min(todouble(report.soon_lost_seconds)) / 3600 by Scan
| where isnotnull(HoursSoonLost)
'''

// The report has what was lost since ever, so what counts is the growth in a day. A scan that was
// silent for most of the day before says for the first time what it lost meanwhile, and then
// everything counts: that is how most losses begin.
var lostQuery = '''
| extend Lost = todouble(report.lost_seconds)
| where isnotnull(Lost)
| summarize Most = max(Lost), Least = min(Lost), Oldest = min(TimeGenerated) by Scan
| extend MinutesLost = (Most - iff(Oldest > ago(20h), 0.0, Least)) / 60
| project Scan, MinutesLost
'''

// The first sweep looks again after two hours and clears most of it. What stood through the last
// six hours and did not stand before them is new and stays.
var doubtQuery = '''
| extend Doubt = todouble(report.doubt_seconds)
| where isnotnull(Doubt)
| extend Newer = TimeGenerated > ago(6h)
| summarize Standing = min(iff(Newer, Doubt, real(null))), Before = min(iff(Newer, real(null), Doubt)) by Scan
| extend MinutesInDoubt = (Standing - coalesce(Before, 0.0)) / 60
| where isnotnull(MinutesInDoubt)
| project Scan, MinutesInDoubt
'''

var blockedQuery = '''
| summarize BlockedSlices = min(tolong(report.blocked_slices)) by Scan
| where isnotnull(BlockedSlices)
'''

// Both are measured over what is covered so far, so one run says little and six hours say it.
var overBudgetQuery = '''
| extend First = todouble(report.requests_per_day_first), Capacity = todouble(report.requests_per_day_capacity)
| where isnotnull(First) and Capacity > 0
| summarize PercentOfCapacity = min(100 * First / Capacity) by Scan
'''

// The least of six hours: an outage leaves sweeps that are late, and they catch up.
var sweepsBehindQuery = '''
| summarize HoursBehind = min(todouble(report.sweeps_behind_seconds)) / 3600 by Scan
| where isnotnull(HoursBehind)
'''

// The share of runs and not of requests: after a throttle nothing is sent for a minute or an hour,
// and a scan that waits all day meets one throttle among few requests.
var throttledQuery = '''
| where Outcome !in ("failed", "busy", "clocks differ")
| summarize Runs = count(), Throttled = countif(tolong(report.throttled) > 0 or tolong(report.waiting_until) > 0) by Scan
| extend PercentOfRuns = 100.0 * Throttled / Runs
| project Scan, PercentOfRuns
'''

// The workspace's own log, which is collected over the cap, too, and is always there.
var capQuery = '''
_LogOperation
| where Category =~ "Ingestion"
| where Detail contains "OverQuota"
'''

// Severities. 1: activities are not collected or are lost, and it does not mend itself; today.
// 2: the scan falls behind or will, with days to spare; on the next working day. 3: worth knowing.
// There is no 0: whether a late activity is an emergency, only the reader of activities knows.
var rules = [
  {
    name: 'no-run'
    title: 'no successful run'
    meaning: 'No run of any scan has succeeded for ${noRunMinutes} minutes, so nothing is collected. If another alert of this app names the cause, follow that one. Else see whether the function runs at all.'
    page: 'docs/runbook.md#no-successful-run'
    severity: 1
    query: '${reports}${noRunQuery}'
    windowSize: runWindow
    evaluationFrequency: 'PT5M'
    timeAggregation: 'Count'
    measure: ''
    operator: 'LessThan'
    threshold: 1
    dimensions: []
  }
  {
    name: 'failing'
    title: 'every run of a scan fails'
    meaning: 'At least two runs of this scan in ${noRunMinutes} minutes, and none did its work. Cause is the class of the newest error, or the outcome (busy, clocks differ); "(all)" as the scan means that the settings are wrong. What was stored stays; nothing new is.'
    page: 'docs/runbook.md#failing-runs'
    severity: 1
    query: '${reports}${failingQuery}'
    windowSize: runWindow
    evaluationFrequency: 'PT5M'
    timeAggregation: 'Total'
    measure: 'Runs'
    operator: 'GreaterThan'
    threshold: 1
    dimensions: [
      'Scan'
      'Cause'
    ]
  }
  {
    name: 'refused'
    title: 'authentication refused'
    meaning: 'The API, or the sign-in for it, has refused this scan at least twice in ${noRunMinutes} minutes. It does not mend itself: check the grant, the secret or the token. The message in the report line says which.'
    page: 'docs/runbook.md#source-refused'
    severity: 1
    query: '${reports}${refusedQuery}'
    windowSize: runWindow
    evaluationFrequency: 'PT5M'
    timeAggregation: 'Total'
    measure: 'Refused'
    operator: 'GreaterThan'
    threshold: 1
    dimensions: [
      'Scan'
    ]
  }
  {
    name: 'lag'
    title: 'the scan is behind'
    meaning: 'The oldest time that this scan has not covered was more than ${lagMinutes} minutes behind for an hour, and the backlog does not melt fast enough to be gone within a day. The outcomes of its runs tell why.'
    page: 'docs/runbook.md#behind'
    severity: 2
    query: '${reports}${lagQuery}'
    windowSize: 'PT1H'
    evaluationFrequency: 'PT15M'
    timeAggregation: 'Maximum'
    measure: 'LagMinutes'
    operator: 'GreaterThan'
    threshold: lagMinutes
    dimensions: [
      'Scan'
    ]
  }
  {
    name: 'soon-lost'
    title: 'activities will be lost within three days'
    meaning: 'Time that this scan has not covered passes the reach of the API within three days; what is not scanned until then is lost for good. It goes before everything else already, so look for what keeps the scan.'
    page: 'docs/runbook.md#soon-lost'
    severity: 1
    query: '${reports}${soonLostQuery}'
    windowSize: 'PT1H'
    evaluationFrequency: 'PT15M'
    timeAggregation: 'Maximum'
    measure: 'HoursSoonLost'
    operator: 'GreaterThan'
    threshold: 0
    dimensions: [
      'Scan'
    ]
  }
  {
    name: 'lost'
    title: 'time was declared lost'
    meaning: 'Within a day this scan had to declare time lost that it had not covered before the API stopped showing it. The alert ends after a day; the loss does not. See its bounds in the ledger and find out what kept the scan.'
    page: 'docs/runbook.md#declared-lost'
    severity: 1
    query: '${reports}${lostQuery}'
    windowSize: 'P1D'
    evaluationFrequency: 'PT30M'
    timeAggregation: 'Maximum'
    measure: 'MinutesLost'
    operator: 'GreaterThan'
    threshold: 0
    dimensions: [
      'Scan'
    ]
  }
  {
    name: 'doubt'
    title: 'new time in doubt'
    meaning: 'The API contradicted itself about more than ${doubtMinutes} minutes of time, new within a day, and this has stood for six hours. Later sweeps may still clear it, so nothing is urgent. Look at the bounds in the ledger.'
    page: 'docs/runbook.md#doubt'
    severity: 3
    query: '${reports}${doubtQuery}'
    windowSize: 'P1D'
    evaluationFrequency: 'PT1H'
    timeAggregation: 'Maximum'
    measure: 'MinutesInDoubt'
    operator: 'GreaterThan'
    threshold: doubtMinutes
    dimensions: [
      'Scan'
    ]
  }
  {
    name: 'blocked'
    title: 'a slice is blocked'
    meaning: 'A stretch of time has met faults again and again and was blocked for an hour. It is tried every hour, everything else goes on, and after 30 days it is declared lost. See its fault in the ledger.'
    page: 'docs/runbook.md#blocked-slices'
    severity: 2
    query: '${reports}${blockedQuery}'
    windowSize: 'PT1H'
    evaluationFrequency: 'PT15M'
    timeAggregation: 'Maximum'
    measure: 'BlockedSlices'
    operator: 'GreaterThan'
    threshold: 0
    dimensions: [
      'Scan'
    ]
  }
  {
    name: 'over-budget'
    title: 'the request budget cannot carry the load'
    meaning: 'For six hours the first pass has needed more requests a day than the runs of this scan can send. New activities still arrive, and what nobody gets to will be lost. Raise the time budget or the request budget, or filter.'
    page: 'docs/runbook.md#over-budget'
    severity: 2
    query: '${reports}${overBudgetQuery}'
    windowSize: 'PT6H'
    evaluationFrequency: 'PT1H'
    timeAggregation: 'Maximum'
    measure: 'PercentOfCapacity'
    operator: 'GreaterThan'
    threshold: 100
    dimensions: [
      'Scan'
    ]
  }
  {
    name: 'sweeps-behind'
    title: 'sweeps are behind'
    meaning: 'For six hours the oldest sweep that is due has been due for more than six hours: the first pass leaves too few requests. Late activities arrive later than planned, and some may be missed. Drop a sweep, let sweeps ask by created, or raise the budget.'
    page: 'docs/runbook.md#sweeps-behind'
    severity: 3
    query: '${reports}${sweepsBehindQuery}'
    windowSize: 'PT6H'
    evaluationFrequency: 'PT1H'
    timeAggregation: 'Maximum'
    measure: 'HoursBehind'
    operator: 'GreaterThan'
    threshold: 6
    dimensions: [
      'Scan'
    ]
  }
  {
    name: 'throttled'
    title: 'most runs are throttled'
    meaning: 'More than ${throttledPercent} per cent of the runs of an hour met a throttle or waited for its end: other programs use the requests of the tenant. No harm is done until the scan is behind, which has its own alert.'
    page: 'docs/runbook.md#throttled'
    severity: 3
    query: '${reports}${throttledQuery}'
    windowSize: 'PT1H'
    evaluationFrequency: 'PT15M'
    timeAggregation: 'Maximum'
    measure: 'PercentOfRuns'
    operator: 'GreaterThan'
    threshold: throttledPercent
    dimensions: [
      'Scan'
    ]
  }
  {
    name: 'cap'
    title: 'the workspace has stopped collecting'
    meaning: 'The workspace has reached its daily cap. Until it begins again, the other log alerts see nothing: the one about missing runs fires, and all others are silent. The scan itself goes on.'
    page: 'docs/runbook.md#daily-cap'
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

// Only with somebody to tell.
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

// The service validates no query before the first deployment, whose tables do not exist yet.
// Every query counts its whole window at once, so one period is enough.
resource logRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: 'alert-${rule.name}-${resourceToken}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'Activity Scan: ${rule.title} (${appName})'
      description: '${rule.meaning} What to do: ${rule.page}'
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
          page: rule.page
        }
      }
    }
  }
]

// The dead man's switch: counted by the platform and not by the app, and a metric rule is not
// disabled when it fails. It needs neither the workspace nor Application Insights.
resource noExecution 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'alert-no-execution-${resourceToken}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The platform has not executed the function for ${executionHours} h. The timer does not come: the app is stopped, its last deployment has no functions, or the platform has lost the timer. What to do: docs/runbook.md#no-successful-run'
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
          // The metric appears with the first execution.
          skipMetricValidation: true
        }
      ]
    }
    actions: [
      for group in told: {
        actionGroupId: group
        webHookProperties: {
          component: componentId
          page: 'docs/runbook.md#no-successful-run'
        }
      }
    ]
  }
}

@description('Whom the rules tell; empty when nobody.')
output actionGroupId string = empty(alertEmail) ? '' : people.id

// The alert rules. The log rules read the report line, the line of JSON that every run of every scan writes
// at its end (docs/formats.md). They ignore logged errors and exceptions: the platform logs some of its own
// when it moves an app, and those say nothing about activities. docs/monitoring.md explains what each rule
// means and what no rule can see.

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

// The beginning of every query. AppTraces does not exist before the app's first telemetry. A query over a
// missing table is an error, and after a week of errors the service disables the rule. The union with an
// empty table prevents the error.
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

// A run that found the scan claimed by another run, or that could not trust the clocks, does not count as
// successful.
var noRunQuery = '''
| where Outcome !in ("failed", "busy", "clocks differ")
'''

// If the newest run was refused, the rule `refused` fires instead, with a more precise text.
var failingQuery = '''
| summarize Runs = count(), Done = countif(Outcome !in ("failed", "busy", "clocks differ")), arg_max(TimeGenerated, Outcome, Error) by Scan
| where Done == 0 and Error !in ("SourceRefused", "TokenRefused")
| extend Cause = iff(isempty(Error), Outcome, Error)
| project Scan, Cause, Runs
'''

// Only the newest run decides, so that the alert ends as soon as the cause is fixed.
var refusedQuery = '''
| summarize Refused = countif(Error in ("SourceRefused", "TokenRefused")), arg_max(TimeGenerated, Error) by Scan
| where Error in ("SourceRefused", "TokenRefused")
| project Scan, Refused
'''

// The minimum of an hour, since a single late run needs no attention. Neither does a backlog that shrinks
// fast enough to be gone within a day: every new scan starts with a backlog of a week.
var lagQuery = '''
| extend Lag = todouble(report.lag_seconds), Backlog = todouble(report.backlog_seconds)
| where isnotnull(Lag)
| extend Newer = TimeGenerated > ago(30m)
| summarize LagMinutes = min(Lag) / 60, Left = min(iff(Newer, Backlog, real(null))), Before = min(iff(Newer, real(null), Backlog)) by Scan
| extend ShrunkInHalfAnHour = coalesce(Before - Left, 0.0)
| where ShrunkInHalfAnHour * 48 < coalesce(Left, Before)
| project Scan, LagMinutes
'''

var soonLostQuery = '''
| summarize HoursSoonLost = min(todouble(report.soon_lost_seconds)) / 3600 by Scan
| where isnotnull(HoursSoonLost)
'''

// The report line gives the total lost since the scan began, so the query takes the growth within a day. If
// the oldest report of the day is less than 20 hours old, the scan was silent before it, and the total
// counts: most losses follow a long silence.
var lostQuery = '''
| extend Lost = todouble(report.lost_seconds)
| where isnotnull(Lost)
| summarize Most = max(Lost), Least = min(Lost), Oldest = min(TimeGenerated) by Scan
| extend MinutesLost = (Most - iff(Oldest > ago(20h), 0.0, Least)) / 60
| project Scan, MinutesLost
'''

// The first sweep looks again after two hours and clears most doubt. Doubt that lasted through the past six
// hours and did not exist before them is new and likely to stay.
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

// Both numbers are estimates from what has been covered so far, so a single run proves little. The minimum of
// six hours is reliable.
var overBudgetQuery = '''
| extend First = todouble(report.requests_per_day_first), Capacity = todouble(report.requests_per_day_capacity)
| where isnotnull(First) and Capacity > 0
| summarize PercentOfCapacity = min(100 * First / Capacity) by Scan
'''

// The minimum of six hours: sweeps that are late after an outage catch up.
var sweepsBehindQuery = '''
| summarize HoursBehind = min(todouble(report.sweeps_behind_seconds)) / 3600 by Scan
| where isnotnull(HoursBehind)
'''

// The percentage of runs rather than of requests: a throttled scan sends nothing for a minute or an hour, so
// one that waits all day has few throttled requests.
var throttledQuery = '''
| where Outcome !in ("failed", "busy", "clocks differ")
| summarize Runs = count(), Throttled = countif(tolong(report.throttled) > 0 or tolong(report.waiting_until) > 0) by Scan
| extend PercentOfRuns = 100.0 * Throttled / Runs
| project Scan, PercentOfRuns
'''

// The workspace's own log always exists and is collected even beyond the cap.
var capQuery = '''
_LogOperation
| where Category =~ "Ingestion"
| where Detail contains "OverQuota"
'''

// Severity 1: activities are not collected or are lost, and somebody has to act today. Severity 2: the scan
// falls behind or will do so, with days to spare; the next working day is early enough. Severity 3: worth
// knowing. There is no severity 0: only those who use the activities know whether late ones are an emergency.
var rules = [
  {
    name: 'no-run'
    title: 'no successful run'
    meaning: 'No run of any scan has succeeded for ${noRunMinutes} minutes, so nothing is collected. If another alert of this app names the cause, follow that one. Otherwise check whether the function runs at all.'
    help: 'docs/runbook.md#no-successful-run'
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
    meaning: 'This scan ran at least twice in ${noRunMinutes} minutes and never succeeded, so it collects nothing new. The dimension Cause gives the class of the newest error, or the outcome (busy, clocks differ). The scan "(all)" means that the settings are invalid.'
    help: 'docs/runbook.md#failing-runs'
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
    meaning: 'The API, or the sign-in to it, refused this scan at least twice in ${noRunMinutes} minutes. Somebody has to fix the grant, the secret or the token; the message in the report line says which.'
    help: 'docs/runbook.md#source-refused'
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
    meaning: 'For an hour this scan has lagged more than ${lagMinutes} minutes behind, and its backlog does not shrink fast enough to be gone within a day. The outcomes of its runs show why.'
    help: 'docs/runbook.md#behind'
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
    meaning: 'Within three days, time that this scan has not covered will leave the reach of the API. Whatever is not scanned by then is lost for good. The scan already gives this time priority, so find out what is holding it up.'
    help: 'docs/runbook.md#soon-lost'
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
    meaning: 'During the past day the API stopped showing time that this scan had not covered, so the scan declared that time lost. The alert ends after a day, but the loss is permanent. The ledger has its bounds. Find out what held the scan up.'
    help: 'docs/runbook.md#declared-lost'
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
    meaning: 'During the past day the API contradicted itself about more than ${doubtMinutes} minutes of time, and this doubt has lasted for six hours. It is not urgent: later sweeps may still clear it. The ledger has the bounds of the doubt.'
    help: 'docs/runbook.md#doubt'
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
    meaning: 'For an hour a slice has been blocked because its requests failed repeatedly. The scan retries it every hour and continues with everything else. When the slice leaves the reach of the API, it is declared lost. The ledger has its latest fault.'
    help: 'docs/runbook.md#blocked-slices'
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
    meaning: 'For six hours the first pass has needed more requests a day than the runs of this scan can send. New activities are still collected, but older ones that the scan never gets to will be lost. Raise the time budget or the request budget, or narrow the filters.'
    help: 'docs/runbook.md#over-budget'
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
    meaning: 'For six hours the oldest due sweep has been more than six hours overdue, because the first pass leaves too few requests. Late activities arrive later than planned, and some may be missed. Remove a sweep, let sweeps ask by created, or raise the request budget.'
    help: 'docs/runbook.md#sweeps-behind'
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
    meaning: 'During an hour more than ${throttledPercent} percent of the runs were throttled or waited for a throttle to end, because other programs use up the tenant\'s requests. This does no harm until the scan falls behind, for which there is another alert.'
    help: 'docs/runbook.md#throttled'
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
    meaning: 'The workspace has reached its daily cap. Until it collects again, the other log alerts see nothing: the alert about missing runs fires, and all others stay silent. The scan itself continues.'
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
      description: '${rule.meaning} What to do: ${rule.help}'
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
    description: 'The platform has not executed the function for ${executionHours} h, because the timer does not fire: the app is stopped, its last deployment has no functions, or the platform has lost track of the timer. What to do: docs/runbook.md#no-successful-run'
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
        }
      }
    ]
  }
}

@description('Resource id of the action group that the rules notify; empty without an address.')
output actionGroupId string = empty(alertEmail) ? '' : people.id

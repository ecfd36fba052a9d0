// The alert rules of the table's app. They read its report line, the line of JSON that every run writes at its
// end (docs/formats.md). No activity is lost while the table stands still, so nothing here is urgent.

targetScope = 'resourceGroup'

@description('Region of the log rules, which must be that of the workspace.')
param location string

@description('Tags of all resources in this module.')
param tags object

@description('Suffix that makes the names of this deployment unique.')
param resourceToken string

@description('Name of the table\'s function app, which its telemetry gives as the role name.')
param appName string

@description('Resource id of the table\'s function app. The platform counts its executions.')
param appId string

@description('Resource id of the Log Analytics workspace that holds the telemetry.')
param workspaceId string

@description('Resource id of the Application Insights component.')
param componentId string

@description('Resource ids of the action groups that the rules notify. If it is empty, the alerts fire but reach nobody.')
param actionGroupIds array = []

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
param noRunMinutes int = 60

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

// The beginning of every query; alerts.bicep explains the union.
var linesOfAnApp = '''
union isfuzzy=true (datatable(TimeGenerated: datetime, AppRoleName: string, Message: string)[]), AppTraces
| where AppRoleName =~ "APP_NAME"
| where Message startswith '{"event":"table"'
'''
var lines = replace(linesOfAnApp, 'APP_NAME', appName)

// A summary without "by" has a row even if there is no line, so the rule also fires when the app is silent.
var failingQuery = '''
| extend report = parse_json(Message)
| extend Outcome = tostring(report.outcome), Error = tostring(report.error), Section = tostring(report.help)
| summarize Runs = count(), Failed = countif(Outcome == "failed"), arg_max(TimeGenerated, Error, Section)
| where Runs == Failed
| extend Cause = iff(isempty(Error), "no report", Error)
| extend Help = iff(isempty(Section), "docs/table.md#no-report", Section)
| project Cause, Help, Runs
'''

// What needs a person is decided by the program, and the rule only reads it. alerts.bicep explains why the
// field is taken out of the text.
var attentionQuery = '''
| extend Attention = extract(@'"attention":(\[(?:[^"\]]|"(?:[^"\\]|\\.)*")*\])', 1, Message)
| where isnotempty(Attention)
| summarize arg_max(TimeGenerated, Attention)
| mv-expand Entry = parse_json(Attention)
| extend Since = datetime(1970-01-01) + tolong(Entry["since"]) / 1000 * 1s, Text = tostring(Entry["text"])
| project Kind = tostring(Entry["kind"]), Help = tostring(Entry["help"]), Since, Text
'''

var rules = [
  {
    name: 'table-failing'
    title: 'no successful run of the table'
    meaning: 'No run of the table\'s app has succeeded for ${noRunMinutes} minutes, so the table gets no new activities. Nothing is lost: the next run that succeeds goes on where the table ends. The dimension Cause has the class of the newest error, or says that there is no report, and the dimension Help has the section about it.'
    help: 'docs/table.md#the-table-does-not-go-on'
    query: '${lines}${failingQuery}'
    windowSize: runWindow
    evaluationFrequency: 'PT15M'
    dimensions: [
      'Cause'
      'Help'
    ]
  }
  {
    name: 'table-attention'
    title: 'the table needs a person'
    meaning: 'The newest report of the table\'s app says that something needs a person. The dimension Kind says what: behind (the table is behind the feed). The search results have the figures, and since when.'
    help: 'docs/table.md#behind-the-feed'
    query: '${lines}${attentionQuery}'
    windowSize: noRunMinutes < 1440 ? 'P1D' : 'P2D'
    evaluationFrequency: 'PT30M'
    dimensions: [
      'Kind'
      'Help'
    ]
  }
]

// Validation of the queries is skipped, since their table does not exist at the first deployment.
resource logRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: 'alert-${rule.name}-${resourceToken}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'Activity Scan: ${rule.title} (${appName})'
      description: '${rule.meaning} What to do: ${rule.help}'
      severity: 2
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
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
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
        actionGroups: actionGroupIds
        customProperties: {
          component: componentId
          help: rule.help
        }
      }
    }
  }
]

// The dead man's switch, which needs neither telemetry nor workspace.
resource noExecution 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'alert-table-no-execution-${resourceToken}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The platform has not executed the function of the table\'s app for ${executionHours} h, because the timer does not fire: the app is stopped, its last deployment has no functions, or the platform has lost track of the timer. What to do: docs/table.md#no-report'
    severity: 2
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
      for group in actionGroupIds: {
        actionGroupId: group
        webHookProperties: {
          component: componentId
          help: 'docs/table.md#no-report'
        }
      }
    ]
  }
}

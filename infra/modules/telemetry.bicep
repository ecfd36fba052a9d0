// Where the report lines go: Application Insights and its Log Analytics workspace. Only identities with a
// role may send telemetry, so there is no key that could leak.

targetScope = 'resourceGroup'

@description('Region of the workspace and the component.')
param location string

@description('Tags of the workspace and the component.')
param tags object

@description('Name of the Log Analytics workspace.')
param workspaceName string

@description('Name of the Application Insights component.')
param componentName string

@description('Days for which telemetry is kept. Up to 31 days cost nothing extra.')
@minValue(30)
@maxValue(730)
param retentionDays int

@description('Daily cap on telemetry in gigabytes; -1 for no cap.')
param dailyCapGb int

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    workspaceCapping: {
      dailyQuotaGb: dailyCapGb
    }
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
  }
}

resource component 'Microsoft.Insights/components@2020-02-02' = {
  name: componentName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
  }
}

@description('Connection string by which the app finds the component. It contains no secret as long as local authentication is disabled.')
output connectionString string = component.properties.ConnectionString

@description('Resource id of the workspace.')
output workspaceId string = workspace.id

@description('Resource id of the component.')
output componentId string = component.id

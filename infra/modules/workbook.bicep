// The picture of the scan: lag, activities, late ones, requests, storage, outcomes. It reads the
// report line, as the alert rules do. Whoever changes it in the portal saves a copy there; to keep
// a change, put it into ../workbook.json.

targetScope = 'resourceGroup'

@description('Region of the workbook.')
param location string

@description('Tags of the workbook.')
param tags object

@description('The part of every name that tells deployments apart.')
param resourceToken string

@description('Resource id of the Application Insights component under which the workbook is found.')
param componentId string

@description('Resource id of the Log Analytics workspace that its queries read.')
param workspaceId string

@description('Name of the function app, which its telemetry carries as its role.')
param appName string

var title = 'Activity Scan (${appName})'

// The file has these two words where it needs what is known only here.
var content = replace(replace(loadTextContent('../workbook.json'), 'WORKSPACE_ID', workspaceId), 'APP_NAME', appName)

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  // A workbook's name is a GUID; this one stays the same at every deployment.
  name: guid(resourceGroup().id, resourceToken, 'workbook')
  location: location
  // The portal's lists show this tag instead of the GUID.
  tags: union(tags, {
    'hidden-title': title
  })
  kind: 'shared'
  properties: {
    displayName: title
    category: 'workbook'
    sourceId: componentId
    version: '1.0'
    serializedData: content
  }
}

@description('Resource id of the workbook, which the portal opens.')
output workbookId string = workbook.id

// The workbook, which shows lag, activities, late activities, requests, storage and outcomes of every scan.
// Like the alert rules it reads the report line. A deployment overwrites changes that were made in the
// portal; to keep a change, make it in ../workbook.json.

targetScope = 'resourceGroup'

@description('Region of the workbook.')
param location string

@description('Tags of the workbook.')
param tags object

@description('Suffix that makes the names of this deployment unique.')
param resourceToken string

@description('Resource id of the Application Insights component that lists the workbook.')
param componentId string

@description('Resource id of the Log Analytics workspace that the queries read.')
param workspaceId string

@description('Name of the function app, which its telemetry gives as the role name.')
param appName string

var title = 'Activity Scan (${appName})'

// The file has two placeholders for values that are known only here.
var content = replace(replace(loadTextContent('../workbook.json'), 'WORKSPACE_ID', workspaceId), 'APP_NAME', appName)

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  // The name of a workbook must be a GUID. This one is the same in every deployment.
  name: guid(resourceGroup().id, resourceToken, 'workbook')
  location: location
  // The portal shows this tag in its lists instead of the GUID.
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

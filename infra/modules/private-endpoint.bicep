// An address within the network for one service of one resource.

targetScope = 'resourceGroup'

@description('Region of the endpoint: that of its network.')
param location string

@description('Tags of the endpoint.')
param tags object

@description('Name of the endpoint.')
param endpointName string

@description('Resource id of the subnet that it takes its address from.')
param subnetId string

@description('Resource id of what it leads to.')
param targetId string

@description('Which service of it: blob, dfs, queue, table or vault.')
param service string

@description('Resource id of the private DNS zone; empty when somebody else keeps the names.')
param zoneId string

resource endpoint 'Microsoft.Network/privateEndpoints@2025-05-01' = {
  name: endpointName
  location: location
  tags: tags
  properties: {
    customNetworkInterfaceName: '${endpointName}-nic'
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: service
        properties: {
          groupIds: [
            service
          ]
          privateLinkServiceId: targetId
        }
      }
    ]
  }
}

resource names 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = if (!empty(zoneId)) {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: service
        properties: {
          privateDnsZoneId: zoneId
        }
      }
    ]
  }
}

// A private endpoint: an address within the network for one service of one resource.

targetScope = 'resourceGroup'

@description('Region of the endpoint, which must be that of its network.')
param location string

@description('Tags of the endpoint.')
param tags object

@description('Name of the endpoint.')
param endpointName string

@description('Resource id of the subnet from which the endpoint takes its address.')
param subnetId string

@description('Resource id of the resource that the endpoint leads to.')
param targetId string

@description('Service of that resource: blob, dfs, queue, table or vault.')
param service string

@description('Resource id of the private DNS zone. If it is empty, the endpoint\'s DNS records are left to others, such as a policy.')
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

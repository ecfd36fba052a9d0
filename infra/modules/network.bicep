// A virtual network for the collector: a subnet for the app's outbound traffic, a subnet for the private
// endpoints, and the private DNS zones for their names.

targetScope = 'resourceGroup'

@description('Region of the network, which must be that of the app.')
param location string

@description('Tags of all resources in this module.')
param tags object

@description('Name of the virtual network.')
param networkName string

@description('Address range of the network.')
param addressPrefix string

@description('Address range of the app\'s subnet within the network, /27 or larger.')
param appSubnetPrefix string

@description('Address range of the private endpoints\' subnet within the network, /28 or larger.')
param endpointSubnetPrefix string

@description('Names of the private DNS zones.')
param zoneNames array

@description('Whether everything that the app sends to the internet comes from one fixed address.')
param fixedOutboundAddress bool

@description('Name of the NAT gateway. Its public address has this name with -ip appended.')
param gatewayName string

resource address 'Microsoft.Network/publicIPAddresses@2025-05-01' = if (fixedOutboundAddress) {
  name: '${gatewayName}-ip'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIPAddressVersion: 'IPv4'
    publicIPAllocationMethod: 'Static'
  }
}

resource gateway 'Microsoft.Network/natGateways@2025-05-01' = if (fixedOutboundAddress) {
  name: gatewayName
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIpAddresses: [
      {
        id: address.id
      }
    ]
  }
}

var gatewayReference = {
  id: gateway.id
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: networkName
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        addressPrefix
      ]
    }
    // The subnets are part of the network: if they were separate resources, each deployment would first
    // remove them.
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: appSubnetPrefix
          natGateway: fixedOutboundAddress ? gatewayReference : null
          delegations: [
            {
              name: 'flex-consumption'
              properties: {
                // Flex Consumption needs this delegation, unlike the other plans.
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: endpointSubnetPrefix
          defaultOutboundAccess: false
          privateEndpointNetworkPolicies: 'Disabled'
        }
      }
    ]
  }
}

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for zoneName in zoneNames: {
    name: zoneName
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (zoneName, place) in zoneNames: {
    parent: zones[place]
    name: networkName
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: network.id
      }
    }
  }
]

// A network of its own: one subnet that the app reaches out from, one for the private endpoints, and
// the zones in which their names are found.

targetScope = 'resourceGroup'

@description('Region of the network: that of the app.')
param location string

@description('Tags of everything that is made here.')
param tags object

@description('Name of the virtual network.')
param networkName string

@description('Address range of the network.')
param addressPrefix string

@description('Address range within it for the app, /27 or larger.')
param appSubnetPrefix string

@description('Address range within it for the private endpoints, /28 or larger.')
param endpointSubnetPrefix string

@description('Names of the private DNS zones.')
param zoneNames array

@description('Whether everything that the app sends to the internet leaves by one fixed address.')
param fixedOutboundAddress bool

@description('Name of the NAT gateway, and with -ip of its address.')
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
    // Subnets within the network: as resources of their own, each deployment would first take them
    // away.
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
                // Flex Consumption runs there, unlike the other plans.
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

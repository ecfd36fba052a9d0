// Network isolation in an existing network. One DNS zone is given; a policy keeps the records of the others.
using '../main.bicep'

param networkIsolation = true
param existingAppSubnetId = '/subscriptions/00000000-0000-0000-0000-000000000009/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/vnet-hub/subnets/flex'
param existingEndpointSubnetId = '/subscriptions/00000000-0000-0000-0000-000000000009/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/vnet-hub/subnets/endpoints'
param existingDnsZoneIds = {
  blob: '/subscriptions/00000000-0000-0000-0000-000000000009/resourceGroups/rg-hub/providers/Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net'
}

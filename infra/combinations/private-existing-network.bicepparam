// The same in a network that is there; of its zones one is named, the others are kept by a policy.
using '../main.bicep'

param environmentName = 'contoso'
param location = 'westeurope'
param apiUrl = 'https://contoso.eu2.portal.cloudappsecurity.com'
param alertEmail = 'security@contoso.com'

param networkIsolation = true
param existingAppSubnetId = '/subscriptions/00000000-0000-0000-0000-000000000009/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/vnet-hub/subnets/flex'
param existingEndpointSubnetId = '/subscriptions/00000000-0000-0000-0000-000000000009/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/vnet-hub/subnets/endpoints'
param existingDnsZoneIds = {
  blob: '/subscriptions/00000000-0000-0000-0000-000000000009/resourceGroups/rg-hub/providers/Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net'
}

// Those of the cloud that is deployed to, which a prediction cannot ask.
param storageSuffix = 'core.windows.net'
param vaultSuffix = '.vault.azure.net'

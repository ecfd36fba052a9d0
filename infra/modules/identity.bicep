// The managed identity that the collector uses for storage, telemetry, the vault and the Activities API.
// It is the app's only identity, so all rights are granted to it. It outlives the app, so the role that an
// administrator granted on the API survives when the app is deleted and created again.

targetScope = 'resourceGroup'

@description('Region of the identity.')
param location string

@description('Tags of the identity.')
param tags object

@description('Name of the identity.')
param identityName string

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: identityName
  location: location
  tags: tags
}

@description('Client (application) id, by which the program and the host select the identity.')
output clientId string = identity.properties.clientId

@description('Object (principal) id, to which roles are granted.')
output principalId string = identity.properties.principalId

// Whom the collector acts as, towards storage, telemetry, the vault and the Activities API. The app
// has this one identity and no other, so there is one thing to grant rights to; it outlives the app,
// so an administrator's grant of the API's role survives when the app is made anew.

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

@description('Client (application) id, by which the program and the host choose the identity.')
output clientId string = identity.properties.clientId

@description('Object (principal) id, to which rights are granted.')
output principalId string = identity.properties.principalId

// A vault for the one secret of the modes that need one. The deployment never sees the secret: an
// administrator of the vault sets it afterwards (docs/deployment.md), and the app reads it by
// reference.

targetScope = 'resourceGroup'

@description('Region of the vault.')
param location string

@description('Tags of the vault.')
param tags object

@description('Name of the vault.')
@minLength(3)
@maxLength(24)
param vaultName string

@description('Name of the collector\'s identity.')
param identityName string

@description('Object id of that identity.')
param principalId string

@description('Who may set the secret: objects with principalId and principalType (User, Group or ServicePrincipal).')
param administrators array

@description('Whether only private endpoints reach it.')
param private bool

@description('Days that a deleted vault or secret can be brought back, and its name is taken.')
@minValue(7)
@maxValue(90)
param recoveryDays int

var roles = {
  keyVaultSecretsOfficer: 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'
  keyVaultSecretsUser: '4633458b-17de-408a-b874-0445c86b69e6'
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  name: vaultName
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    // Keeps the name after the vault is deleted, which is the price of it.
    enablePurgeProtection: true
    softDeleteRetentionInDays: recoveryDays
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: private ? 'None' : 'AzureServices'
      defaultAction: private ? 'Deny' : 'Allow'
    }
  }
}

// Read, not list or write; the vault holds nothing else, so the vault is the scope and the secret
// need not be there yet.
resource readsSecret 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, identity.id, roles.keyVaultSecretsUser)
  properties: {
    description: 'The app setting that holds the secret is a reference to this vault.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)
  }
}

resource setsSecret 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for administrator in administrators: {
    scope: vault
    name: guid(vault.id, administrator.principalId, roles.keyVaultSecretsOfficer)
    properties: {
      description: 'Sets and renews the secret.'
      principalId: administrator.principalId
      principalType: administrator.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsOfficer)
    }
  }
]

@description('Where the vault answers.')
output vaultUri string = vault.properties.vaultUri

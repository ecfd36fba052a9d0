// A vault for the secret of those authentication modes that need one, and for those of scans. The deployment
// never sees a secret: an administrator of the vault sets it afterwards (docs/deployment.md), and a setting of
// the app refers to it.

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

@description('Object id of the collector\'s identity.')
param principalId string

@description('Who may set the secrets: objects with principalId and principalType (User, Group or ServicePrincipal).')
param administrators array

@description('Whether the vault can be reached through private endpoints only.')
param private bool

@description('Days for which a deleted vault or secret can be recovered; its name stays taken until then.')
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
    // The price of purge protection: the name stays taken after the vault is deleted.
    enablePurgeProtection: true
    softDeleteRetentionInDays: recoveryDays
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: private ? 'None' : 'AzureServices'
      defaultAction: private ? 'Deny' : 'Allow'
    }
  }
}

// The collector may read secrets but not list or write them. The scope is the vault, which holds nothing
// else, because the secrets do not exist yet.
resource readsSecret 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, identity.id, roles.keyVaultSecretsUser)
  properties: {
    description: 'Settings of the app refer to secrets of this vault.'
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
      description: 'Sets and renews the secrets.'
      principalId: administrator.principalId
      principalType: administrator.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsOfficer)
    }
  }
]

@description('URL of the vault.')
output vaultUri string = vault.properties.vaultUri

// A provider: scans of several tenants, listed in scans.json, most of them in containers of their own.
using '../main.bicep'

param authMode = 'federated'
param mdaTenantId = '00000000-0000-0000-0000-00000000000c'
param mdaClientId = '00000000-0000-0000-0000-00000000000d'
param deployerId = '00000000-0000-0000-0000-00000000000b'
param deleteAfterDays = 400
param immutabilityDays = 365
param notifications = true
param readers = [
  {
    principalId: '00000000-0000-0000-0000-00000000000a'
    principalType: 'Group'
  }
]
param fanOut = true
param scanSecrets = [
  'MDA_CLIENT_SECRET_FABRIKAM'
  'MDA_API_TOKEN_TAILSPIN'
]
param scanContainers = [
  {
    name: 'contoso'
    dataContainer: 'contoso-activities'
    manifestContainer: 'contoso-manifests'
    stateContainer: 'contoso-state'
    readers: [
      {
        principalId: '00000000-0000-0000-0000-00000000000e'
        principalType: 'Group'
      }
    ]
  }
  {
    name: 'fabrikam'
    dataContainer: 'fabrikam-activities'
    manifestContainer: 'fabrikam-manifests'
  }
  {
    name: 'fabrikam-sign-ins'
    dataContainer: 'fabrikam-activities'
    manifestContainer: 'fabrikam-manifests'
  }
  {
    name: 'tailspin'
  }
]

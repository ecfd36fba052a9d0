// Two scans with folders and filters of their own.
using '../main.bicep'

param environmentName = 'contoso'
param location = 'westeurope'
param apiUrl = 'https://contoso.eu2.portal.cloudappsecurity.com'
param alertEmail = 'security@contoso.com'

param scans = [
  {
    name: 'sign-ins'
    filters: {
      'activity.eventType': {
        eq: [
          'EVENT_CATEGORY_LOGIN'
        ]
      }
    }
  }
  {
    name: 'exchange'
    filters: {
      service: {
        eq: [
          20893
        ]
      }
    }
    lookback: '2d'
    sweeps: '24h'
  }
]

// Those of the cloud that is deployed to, which a prediction cannot ask.
param storageSuffix = 'core.windows.net'
param vaultSuffix = '.vault.azure.net'

// Two scans, each with its own folders and filters.
using '../main.bicep'

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

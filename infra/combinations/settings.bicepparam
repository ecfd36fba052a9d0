// Every setting of the program with a value other than its default.
using '../main.bicep'

param schedule = '30 */10 * * * *'
param timeBudget = '8m'
param scanName = 'exchange'
param scanFilters = {
  service: {
    eq: [
      20893
    ]
  }
}
param scanAcceptFilters = '0123456789abcdef'
param scanDoctor = 'first-look'
param scanSortField = 'created'
param scanSortDirection = 'desc'
param scanLimit = 500
param scanLookback = '14d'
param scanSettle = '20m'
param scanFresh = '2h'
param scanSlice = '10m'
param scanSweeps = '6h,3d'
param scanSweepBy = 'created'
param scanReach = '28d'
param scanConcurrency = 5
param scanRequestsPerMinute = 20
param lagMinutes = 90
param doubtMinutes = 0
param throttledPercent = 80
param pauseHours = 48
param allowAnyHost = true
param packageUri = 'https://example.org/released-package.zip'
param dataContainer = 'parts'
param manifestContainer = 'chain'
param stateContainer = 'ledgers'

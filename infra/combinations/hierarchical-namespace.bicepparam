// A hierarchical namespace, which some readers need. Such an account keeps no blob versions.
using '../main.bicep'

param hierarchicalNamespace = true
param deleteAfterDays = 180

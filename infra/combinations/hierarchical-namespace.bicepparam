// Directories, as some readers need them; no versions.
using '../main.bicep'

param hierarchicalNamespace = true
param deleteAfterDays = 180

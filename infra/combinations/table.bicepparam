// The table, with its defaults.
using '../main.bicep'

param table = true

// Network isolation in a network that the deployment creates, for scans that a list in storage names.
using '../main.bicep'

param networkIsolation = true
param fanOut = true

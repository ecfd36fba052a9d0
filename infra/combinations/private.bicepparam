// Network isolation in a network that the deployment creates.
using '../main.bicep'

param networkIsolation = true

// Storage and vault in a network that is made for them; the app answers nobody.
using '../main.bicep'

param networkIsolation = true

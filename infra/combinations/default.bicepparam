// Only the required parameters.
using '../main.bicep'

param alertEmail = ''

// What is asked for, and nothing else.
using '../main.bicep'

param alertEmail = ''

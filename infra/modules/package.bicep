// Publishes a package from an address, for deployments without a command line. The platform fetches
// what is there; the file must be named released-package.zip.

targetScope = 'resourceGroup'

@description('Region of the app.')
param location string

@description('Name of the app.')
param appName string

@description('Address of the package.')
@secure()
param packageUri string

// By its whole name: as a child of the app it would be checked against a type that has no properties.
resource package 'Microsoft.Web/sites/extensions@2022-09-01' = {
  name: '${appName}/onedeploy'
  // Microsoft's example has it; the types do not.
  #disable-next-line BCP187
  location: location
  properties: {
    packageUri: packageUri
    // The package brings its libraries.
    remoteBuild: false
  }
}

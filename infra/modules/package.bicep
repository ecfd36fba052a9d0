// Publishes a package from a URL, for deployments without a command line. The platform downloads the file,
// which must be named released-package.zip.

targetScope = 'resourceGroup'

@description('Region of the app.')
param location string

@description('Name of the app.')
param appName string

@description('URL of the package.')
@secure()
param packageUri string

// The full name is given because a child of the app would be checked against a type without properties.
resource package 'Microsoft.Web/sites/extensions@2022-09-01' = {
  name: '${appName}/onedeploy'
  // Microsoft's example sets this property, but the published type lacks it.
  #disable-next-line BCP187
  location: location
  properties: {
    packageUri: packageUri
    // The package contains its libraries.
    remoteBuild: false
  }
}

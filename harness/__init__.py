"""Tools around the product, for its tests, demo, infrastructure, documents and releases.

- `azurite` starts the storage emulator, over http or over https with identity.
- `at_once` runs the steps of a simulated scan without threads.
- `functions_host` runs the function app as Azure does, in another process; `functions_worker` is
  what that process does with the Functions worker's real library.
- `demo` shows the whole function at work (`make demo`); `feed` reads what the function wrote.
- `bicep` asks the Bicep compiler; `infra` predicts deployments and checks policies.
- `schemas` makes the JSON Schemas and the tables of the formats page from the types.
- `release` builds the files of a release; `interpreters` finds Azure's version of Python.

Nothing here is deployed, and the product imports none of it.
"""

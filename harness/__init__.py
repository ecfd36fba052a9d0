"""Real parts of the Azure stack on loopback, for the tests and the demo.

- `harness.azurite` the storage emulator, over http or over https with identity
- `harness.functions_host` the function app in a process of its own, run as the host runs it
- `harness.functions_worker` what that process does with the Functions worker's real library

Nothing here is deployed, and the product does not know of it.
"""

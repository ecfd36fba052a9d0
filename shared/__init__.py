"""Activity Scan: collects every Defender for Cloud Apps activity into blobs, resumably.

The map, from the inside out (imports point the same way and are checked):

- `shared.core`      pure decisions: planning, traversal, ledger, manifests, pacing
- `shared.ports`     what the use case needs from outside, as contracts
- `shared.scan`      the use case: one bounded run
- `shared.settings`  environment to frozen settings, every problem at once
- `shared.adapters`  the API, credentials, blobs and the clock; one outside system each
- `shared.bootstrap` the only place where things are put together
- `shared.operate`   what a person uses: the command line
"""

__version__ = "0.1.0"
"""What a ledger names as the program that learned something; raise it with every release."""

"""Activity Scan: collects every activity of Defender for Cloud Apps into blobs, and resumes.

The package is called `shared` because the triggers of the function app and the command line
share it: neither has any logic of its own.

From the inside out, as imports point (a checker holds them to it):

- `shared.core`       pure decisions: values in, values out
- `shared.access`     how to reach the API and storage, with secrets that do not show
- `shared.sharing`    the request budget that the scans of one app share
- `shared.ports`      what the use case needs from outside, as contracts
- `shared.scan`       the use case: one bounded run of one scan
- `shared.settings`   environment to frozen settings, every problem at once
- `shared.adapters`   the API, sign-in, blobs and the clock; one outside system each
- `shared.bootstrap`  the only place where everything is put together
- `shared.operate`    the command line

`docs/architecture.md` lists every module.
"""

__version__ = "1.0.0"
"""What a ledger names as the program that learned something; raise it with every release."""

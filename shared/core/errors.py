"""Every error a scan can end with, sorted by what the caller can do about it.

ScanError
 ├─ SettingsError         the settings are invalid: fix them; nothing was requested
 ├─ AppUnreadable         the settings of a deployed app cannot be read with this sign-in
 ├─ SourceRefused         the API or its sign-in refuses us: fix the access; nothing advanced
 │   └─ TokenRefused      the API does not accept the token, which may only have expired
 ├─ UnreadableMessage     what a worker got from the queue is not a message of the timer
 ├─ QueryFailed           a `query` could not be followed to its end
 ├─ LedgerError           the saved state cannot be trusted or used: a person decides
 │   ├─ LedgerUnreadable  not what this program writes
 │   ├─ LedgerTooNew      written by a newer version
 │   ├─ LedgerMissing     absent, although the scan has manifests or parts
 │   ├─ LedgerRolledBack  older than the chain of manifests says
 │   ├─ NotRebuildable    the manifests do not tell enough to make it again
 │   └─ ScopeChanged      filters or sort field differ from those that were covered
 ├─ LeverRefused          a change of the scan makes no sense now: nothing was changed
 └─ StoreError            storage did not do what the protocol needs
     ├─ LedgerConflict    another run saved the ledger first: this one ends, harmlessly
     ├─ BlocksLost        the service dropped staged blocks: the slice starts over
     ├─ StoreConflict     a create-only blob exists with other content
     ├─ PartUnreadable    a part cannot be read or written: its slice is blocked, the scan continues
     └─ StoreUnavailable  storage cannot be reached, or refuses us
"""

from typing import ClassVar


class ScanError(Exception):
    """Base of all errors that end a run; `help` is the documentation that helps."""

    help: ClassVar[str] = "docs/runbook.md"


class SettingsError(ScanError):
    """One or more settings or options are invalid.

    Attributes:
        problems: one sentence each: which setting, what is wrong, what to set instead.
    """

    help = "docs/settings.md"

    def __init__(self, problems: list[str]) -> None:
        """Keep all problems; the message lists them one to a line."""
        self.problems = tuple(problems)
        super().__init__("these settings or options are invalid:\n- " + "\n- ".join(problems))


class AppUnreadable(ScanError):
    """The settings of a deployed app, or a secret that they refer to, cannot be read."""

    help = "docs/command-line.md#from-app"


class SourceRefused(ScanError):
    """The API (or the sign-in for it) refuses this caller; trying again cannot help."""

    help = "docs/runbook.md#source-refused"


class TokenRefused(SourceRefused):
    """The API does not accept the token (401); a renewed one may be accepted."""


class UnreadableMessage(ScanError):
    """A message of the queue does not name the scans that a worker is to run."""

    help = "docs/runbook.md#poison-messages"


class QueryFailed(ScanError):
    """A query could not be followed to its end; what was written so far is incomplete."""

    help = "docs/runbook.md#query-failed"


class NotAnnounced(ScanError):
    """Messages of existing parts could not all be sent; the message says how to go on."""

    help = "docs/command-line.md#announce"


class LedgerError(ScanError):
    """The ledger cannot be used as it is; the run stops and leaves it untouched."""

    help = "docs/runbook.md#ledger"


class LedgerUnreadable(LedgerError):
    """The ledger's bytes are not a ledger."""

    help = "docs/runbook.md#ledger-unreadable"


class LedgerTooNew(LedgerError):
    """The ledger was written by a version that this one does not understand."""

    help = "docs/runbook.md#ledger-too-new"


class LedgerMissing(LedgerError):
    """There is no ledger, but the scan has already written manifests or parts."""

    help = "docs/runbook.md#ledger-missing"


class LedgerRolledBack(LedgerError):
    """The ledger is older than the chain of manifests: somebody put an old copy back."""

    help = "docs/runbook.md#ledger-rolled-back"


class ScopeChanged(LedgerError):
    """Filters or sort field differ from those under which the coverage was made."""

    help = "docs/runbook.md#scope-changed"


class NotRebuildable(LedgerError):
    """The manifests do not tell enough to make the ledger again."""

    help = "docs/verify.md#rebuilding-the-ledger"


class LeverRefused(ScanError):
    """An operator's change of the scan makes no sense in its present state; nothing was changed."""

    help = "docs/command-line.md#levers"


class StoreError(ScanError):
    """Blob storage did not do what the protocol needs."""

    help = "docs/runbook.md#storage"


class LedgerConflict(StoreError):
    """Another run has saved the ledger since this one read it; this one ends."""

    help = "docs/runbook.md#ledger-conflict"


class BlocksLost(StoreError):
    """Staged blocks are gone although their part was never committed."""

    help = "docs/runbook.md#blocks-lost"


class StoreConflict(StoreError):
    """A blob that is written once exists already, with other content."""

    help = "docs/runbook.md#store-conflict"


class PartUnreadable(StoreError):
    """A part cannot be read or written: it is gone, damaged, archived, leased, or not ours."""

    help = "docs/runbook.md#part-unreadable"


class StoreUnavailable(StoreError):
    """Storage cannot be reached, throttles for too long, or refuses this identity."""

    help = "docs/runbook.md#storage"


class FeedBroken(StoreError):
    """The feed has a gap, or a manifest or part of it is not what it should be."""

    help = "docs/table.md#the-table-does-not-go-on"


class TableUnavailable(StoreUnavailable):
    """The storage of the table cannot be reached or refuses, or its container does not exist."""

    help = "docs/table.md#the-table-does-not-go-on"


class TableUnusable(ScanError):
    """There is a table at the address, but not one of this program."""

    help = "docs/table.md#the-table-does-not-go-on"

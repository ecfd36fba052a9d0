"""What a check of a store may find."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "manifest-missing",
    "manifest-unreadable",
    "chain-broken",
    "coverage-unproven",
    "ledger-missing",
    "ledger-unreadable",
    "ledger-differs",
    "part-missing",
    "part-unreadable",
    "part-altered",
    "part-unlisted",
    "metadata-differs",
    "duplicate-identity",
    "pending",
]
"""What is wrong; `docs/verify.md` explains what each means and what to do.

`pending` is not a fault: the scan was committing the part while it was checked.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something in a store that is not as it should be.

    Attributes:
        kind: what is wrong.
        subject: the blob that it is about.
        detail: human-readable description of what was found.
    """

    kind: Kind
    subject: str
    detail: str

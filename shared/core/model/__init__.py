"""The words of the design as frozen values.

Values that are persisted are `msgspec.Struct`s: their fields are the format of the ledger
(`docs/formats.md`), and unknown fields are refused. All others are frozen dataclasses. Times are
epoch milliseconds. Import the words from here; the modules below are how they are grouped.
"""

from shared.core.model.exchange import Answer, NoAnswer, Request
from shared.core.model.ledger import (
    Accepted,
    ApiClock,
    ApiFacts,
    Commit,
    Condition,
    Decision,
    DecisionKind,
    Ended,
    Head,
    Ledger,
    Load,
    Loss,
    Pacing,
    Pause,
    Totals,
)
from shared.core.model.parts import PART_PAGES, PartBlob, StoredPart
from shared.core.model.policy import FIRST_PASS, LIMIT_MAX, LIMIT_MIN, Policy, SweepBy
from shared.core.model.scale import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    SECOND_MS,
    Axis,
    Direction,
    Span,
    other_field,
    reverse,
)
from shared.core.model.slice import POISONED, Block, Counts, Dense, Doubt, Mode, Seen, Slice

__all__ = [
    "DAY_MS",
    "FIRST_PASS",
    "HOUR_MS",
    "LIMIT_MAX",
    "LIMIT_MIN",
    "MINUTE_MS",
    "PART_PAGES",
    "POISONED",
    "SECOND_MS",
    "Accepted",
    "Answer",
    "ApiClock",
    "ApiFacts",
    "Axis",
    "Block",
    "Commit",
    "Condition",
    "Counts",
    "Decision",
    "DecisionKind",
    "Dense",
    "Direction",
    "Doubt",
    "Ended",
    "Head",
    "Ledger",
    "Load",
    "Loss",
    "Mode",
    "NoAnswer",
    "Pacing",
    "PartBlob",
    "Pause",
    "Policy",
    "Request",
    "Seen",
    "Slice",
    "Span",
    "StoredPart",
    "SweepBy",
    "Totals",
    "other_field",
    "reverse",
]

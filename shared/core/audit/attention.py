"""Attention: what needs a person, decided once.

The report line, the status and the page show what is decided here, and the alert rules only read
it. `docs/monitoring.md` says what each kind means.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from shared.core.model import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

BEHIND_MS = HOUR_MS
"""A scan is behind when its oldest due time has waited for longer."""

Kind = Literal[
    "failing",
    "soon-lost",
    "lost",
    "lag",
    "blocked",
    "over-budget",
    "quiet",
    "paused",
    "doubt",
    "sweeps-behind",
    "throttled",
]

SECTIONS: Mapping[Kind, str] = {
    "failing": "failing-runs",
    "soon-lost": "soon-lost",
    "lost": "declared-lost",
    "lag": "behind",
    "blocked": "blocked-slices",
    "over-budget": "over-budget",
    "quiet": "quiet-hours",
    "paused": "paused",
    "doubt": "doubt",
    "sweeps-behind": "sweeps-behind",
    "throttled": "throttled",
}
"""The section of the runbook about each kind."""

SEVERITIES: Mapping[Kind, int] = {
    "failing": 1,
    "soon-lost": 1,
    "lost": 1,
    "lag": 2,
    "blocked": 2,
    "over-budget": 2,
    "quiet": 2,
    "paused": 2,
    "doubt": 3,
    "sweeps-behind": 3,
    "throttled": 3,
}
"""How soon somebody has to act: 1 today, 2 on the next working day, 3 when there is time."""


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """Something that needs a person.

    Attributes:
        kind: what it is.
        severity: 1 to 3; 1 is the most severe.
        since: when it began, in epoch ms; None if that is not known.
        text: a sentence that says what is wrong.
        help: the section of the documentation that helps.
    """

    kind: Kind
    severity: int
    since: int | None = None
    text: str
    help: str


def attention_to(
    state: Mapping[str, Any], quiet: int, *, failure: str | None = None
) -> tuple[Attention, ...]:
    """Return what needs a person, the most severe first.

    Args:
        state: the figures of a report line about the state of the scan.
        quiet: for how many hours the scan has been quiet.
        failure: what went wrong with the last run; None if it did not fail.
    """
    found = [
        _failing(failure),
        _if(state.get("soon_lost_seconds"), "soon-lost", "leave the API's reach unread soon"),
        _if(state.get("lost_seconds"), "lost", "are declared lost"),
        _behind(state),
        _blocked(state),
        _over_budget(state),
        _quiet(quiet),
        _if(state.get("doubt_seconds"), "doubt", "are in doubt"),
    ]
    return tuple(sorted((it for it in found if it), key=lambda it: it.severity))


def shown(seconds: float) -> str:
    """Return a length of time in its largest unit that fits."""
    for name, length in (("days", DAY_MS), ("h", HOUR_MS), ("min", MINUTE_MS)):
        if seconds * SECOND_MS >= 2 * length:
            return f"{seconds * SECOND_MS / length:.0f} {name}"
    return f"{seconds:.0f} s"


def _about(kind: Kind, text: str) -> Attention:
    help_ = f"docs/runbook.md#{SECTIONS[kind]}"
    return Attention(kind=kind, severity=SEVERITIES[kind], text=text, help=help_)


def _failing(failure: str | None) -> Attention | None:
    return None if failure is None else _about("failing", f"the last run failed: {failure}")


def _if(seconds: float | None, kind: Kind, said: str) -> Attention | None:
    return _about(kind, f"{shown(seconds)} {said}") if seconds else None


def _behind(state: Mapping[str, Any]) -> Attention | None:
    lag = state.get("lag_seconds", 0)
    if lag * SECOND_MS <= BEHIND_MS:
        return None
    return _about("lag", f"the oldest time that is due has waited for {shown(lag)}")


def _blocked(state: Mapping[str, Any]) -> Attention | None:
    count = state.get("blocked_slices")
    if not count:
        return None
    return _about("blocked", f"{count} slices are blocked and only retried every hour")


def _over_budget(state: Mapping[str, Any]) -> Attention | None:
    first, capacity = state.get("requests_per_day_first"), state.get("requests_per_day_capacity")
    if first is None or capacity is None or first <= capacity:
        return None
    said = f"the first pass needs {first} requests a day, and the runs can send {capacity}"
    return _about("over-budget", said)


def _quiet(hours: int) -> Attention | None:
    if not hours:
        return None
    return _about("quiet", f"far less than usual has come for {hours} h")

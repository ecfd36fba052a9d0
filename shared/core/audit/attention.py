"""Attention: what needs a person, decided once.

The report line, the status and the page show what is decided here, and the alert rules only read
it. Nothing here remembers anything: times come from the ledger, and since when a scan is quiet
follows from its history. `docs/monitoring.md` explains each kind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from shared.core.audit.quiet import Cause, Quiet
from shared.core.model import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Condition, Ledger, Policy
from shared.core.quoting import instant, quoted
from shared.core.state import conditions
from shared.core.state.ledger import is_held
from shared.core.state.planning import REACH_MARGIN_MS
from shared.core.state.report import state_fields
from shared.core.state.rooms import BLOCKED_SWEEPS

Kind = Literal[
    "failing",
    "soon-lost",
    "lost",
    "lag",
    "blocked",
    "over-budget",
    "quiet",
    "paused",
    "scan-list",
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
    "scan-list": "scan-list",
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
    "scan-list": 2,
    "doubt": 3,
    "sweeps-behind": 3,
    "throttled": 3,
}
"""How soon somebody has to act: 1 today, 2 on the next working day, 3 when there is time."""

PATIENCE: Mapping[Condition, int] = {
    "soon-lost": HOUR_MS,
    "lag": HOUR_MS,
    "over-budget": 6 * HOUR_MS,
    "sweeps-behind": 6 * HOUR_MS,
    "throttled": 0,
}
"""How long each condition must last before it needs a person, in ms."""

BLOCKED_MS = HOUR_MS
"""A slice that has been blocked for less may be read at its next attempt."""

MOST = 20
"""There is at most one entry of each kind, and there will never be more kinds than this."""

QUOTED_MOST = 80
"""Characters of a fault or a reason in a text."""


PROBLEM_MOST = 300
"""Characters of what is wrong with the list of scans."""


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """Something that needs a person.

    Attributes:
        kind: what it is.
        severity: 1 to 3; 1 is the most severe.
        since: when it began, in epoch ms; null if that is not known.
        text: what is wrong, on what, and since when, in one sentence without a full stop.
        help: the section of the documentation that helps.
    """

    kind: Kind
    severity: int
    since: int | None = None
    text: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongList:
    """Why the newest version of the list of scans is not in use.

    Attributes:
        since: when it was written, in epoch ms; None if that is not known.
        problems: what is wrong, one sentence each.
    """

    since: int | None
    problems: tuple[str, ...]


def attention_to(
    ledger: Ledger,
    policy: Policy,
    now: int,
    *,
    quiet: Quiet | None = None,
    wrong_list: WrongList | None = None,
) -> tuple[Attention, ...]:
    """Return what needs a person, the most severe first; at most one of each kind.

    A run that fails is not part of it: whoever knows of one adds `failing`.

    Args:
        ledger: the state of the scan.
        policy: how the scan is done.
        now: epoch ms.
        quiet: that the scan is quiet, as its history shows; None if it is not.
        wrong_list: what is wrong with the list of scans; None if nothing is, or if another scan
            of the app reports it.
    """
    seen = _Seen(ledger, policy, now, state_fields(ledger, now, policy))
    found = [
        _soon_lost(seen),
        _lost(seen),
        _behind(seen),
        _blocked(seen),
        _over_budget(seen),
        _quiet(seen, quiet),
        _paused(seen),
        _wrong_list(wrong_list),
        _doubt(seen),
        _sweeps_behind(seen),
        _throttled(seen),
    ]
    return tuple(sorted((it for it in found if it), key=lambda it: it.severity))


def apparent(state: Mapping[str, Any]) -> frozenset[Kind]:
    """Return what is wrong at this moment, whether or not it has lasted, or is shrinking.

    Args:
        state: the figures of a report line about the state of the scan; may be empty.
    """
    need, most = state.get("requests_per_day_first"), state.get("requests_per_day_capacity")
    wrong: dict[Kind, bool] = {
        "soon-lost": bool(state.get("soon_lost_seconds")),
        "lag": state.get("lag_seconds", 0) * SECOND_MS > HOUR_MS,
        "blocked": bool(state.get("blocked_slices")),
        "over-budget": need is not None and most is not None and most < need,
        "doubt": bool(state.get("doubt_seconds")),
    }
    return frozenset(kind for kind, is_so in wrong.items() if is_so)


def failing(message: str, since: int | None = None) -> Attention:
    """Return that the last run failed, and with what message."""
    return _about("failing", since, f"The last run failed: {message}")


def reported_as(found: Sequence[Attention]) -> list[dict[str, Any]]:
    """Return what needs a person as the report line has it."""
    return [msgspec.structs.asdict(it) for it in found[:MOST]]


def shown(seconds: float) -> str:
    """Return a length of time in its largest unit that fits."""
    for name, length in (("days", DAY_MS), ("h", HOUR_MS), ("min", MINUTE_MS)):
        if seconds * SECOND_MS >= 2 * length:
            return f"{seconds * SECOND_MS / length:.0f} {name}"
    return f"{seconds:.0f} s"


@dataclass(frozen=True, slots=True)
class _Seen:
    """A scan at one moment: what its ledger says, and the figures that follow from it."""

    ledger: Ledger
    policy: Policy
    now: int
    state: Mapping[str, Any]

    def lasting(self, name: Condition) -> int | None:
        """Return since when a condition holds; None unless it has lasted long enough.

        What no run has noted began after the last run that noted anything. While a run is at
        work, whatever it may be catching up with waits for its end.
        """
        ledger, now = self.ledger, self.now
        if name not in conditions.holding(ledger, self.state, now, self.policy):
            return None
        since = ledger.conditions.get(name)
        if since is None:
            if name in conditions.CAUGHT_UP and is_held(ledger, now, self.policy):
                return None
            since = conditions.last_noted(ledger)
        return since if now - since >= PATIENCE[name] else None


def _about(kind: Kind, since: int | None, text: str) -> Attention:
    help_ = f"docs/runbook.md#{SECTIONS[kind]}"
    return Attention(kind=kind, severity=SEVERITIES[kind], since=since, text=text, help=help_)


def _soon_lost(seen: _Seen) -> Attention | None:
    since = seen.lasting("soon-lost")
    if since is None:
        return None
    lost_from = _oldest_due(seen) + seen.policy.reach - REACH_MARGIN_MS
    amount = shown(seen.state["soon_lost_seconds"])
    said = (
        f"{amount} of activities are not collected yet and will leave the API's reach within three "
        f"days; the first will be lost at {instant(lost_from)}"
    )
    return _about("soon-lost", since, said)


def _oldest_due(seen: _Seen) -> int:
    """Return the first millisecond that is due and not covered."""
    lag: float = seen.state["lag_seconds"]
    return seen.now - seen.policy.settle - round(lag * SECOND_MS)


def _lost(seen: _Seen) -> Attention | None:
    at = seen.ledger.lost_at
    if at is None or seen.now - at >= DAY_MS:
        return None
    amount = shown(seen.state["lost_seconds"])
    said = (
        f"Time was declared lost at {instant(at)}, because the API no longer shows it; "
        f"{amount} are lost since the scan began"
    )
    return _about("lost", at, said)


def _behind(seen: _Seen) -> Attention | None:
    since = seen.lasting("lag")
    backlog = seen.state["backlog_seconds"]
    if since is None or conditions.shrinks(seen.ledger, round(backlog * SECOND_MS), seen.now):
        return None
    said = (
        f"The scan is behind: activities from {instant(_oldest_due(seen))} have waited for "
        f"{shown(seen.state['lag_seconds'])}, and the backlog of {shown(backlog)} will not be gone "
        "within a day"
    )
    return _about("lag", since, said)


def _blocked(seen: _Seen) -> Attention | None:
    held_up = [it for it in seen.ledger.open if it.blocked_since is not None]
    oldest = min(held_up, key=lambda it: it.blocked_since or 0, default=None)
    since = oldest.blocked_since if oldest else None
    if oldest is None or since is None or seen.now - since < BLOCKED_MS:
        return None
    count = f"{len(held_up)} slices are" if len(held_up) > 1 else "1 slice is"
    full = seen.state["blocked_sweeps"] >= BLOCKED_SWEEPS
    said = (
        f"{count} blocked and retried only once an hour, the first since {instant(since)}: "
        f"{instant(oldest.start)} to {instant(oldest.end)}, "
        f"{quoted(oldest.fault or 'without a fault', QUOTED_MOST)}"
        f"{'; no new sweep begins' if full else ''}"
    )
    return _about("blocked", since, said)


def _over_budget(seen: _Seen) -> Attention | None:
    since, state = seen.lasting("over-budget"), seen.state
    if since is None:
        return None
    said = (
        f"The first pass needs {state['requests_per_day_first']:,} requests a day, and the runs "
        f"can send {state['requests_per_day_capacity']:,}: some activities will be lost"
    )
    return _about("over-budget", since, said)


def _quiet(seen: _Seen, quiet: Quiet | None) -> Attention | None:
    if quiet is None or conditions.is_paused(seen.ledger, seen.now):
        return None
    since = instant(quiet.since)
    said: Mapping[Cause, str] = {
        "less": f"Since {since}, far less has arrived than in the same hours of past weeks",
        "silence": f"Since {since}, nothing has arrived: more than twice as long as ever before",
        "nothing": f"Nothing at all has arrived: every hour that was read since {since} is empty",
    }
    return _about("quiet", quiet.since, said[quiet.cause])


def _paused(seen: _Seen) -> Attention | None:
    pause = seen.ledger.pause
    if pause is None or not conditions.is_paused(seen.ledger, seen.now):
        return None
    if seen.now - pause.since < seen.policy.pause_alert:
        return None
    why = f" ({quoted(pause.reason, QUOTED_MOST)})" if pause.reason else ""
    until = "somebody resumes the scan" if pause.until is None else instant(pause.until)
    said = (
        f"{quoted(pause.by, QUOTED_MOST)} paused the scan at {instant(pause.since)}{why}, and "
        f"nothing is collected until {until}"
    )
    return _about("paused", pause.since, said)


def _doubt(seen: _Seen) -> Attention | None:
    doubt = conditions.new_doubt(seen.ledger, seen.now)
    if doubt <= seen.policy.doubt_alert:
        return None
    since = conditions.doubtful_since(seen.ledger, seen.now, seen.policy)
    said = (
        f"{shown(doubt / SECOND_MS)} of time have been in doubt since about {instant(since)}: "
        "the API contradicted itself about this time, and no sweep has cleared it yet"
    )
    return _about("doubt", since, said)


def _sweeps_behind(seen: _Seen) -> Attention | None:
    since, state = seen.lasting("sweeps-behind"), seen.state
    if since is None:
        return None
    said = (
        f"The oldest due sweep is {shown(state['sweeps_behind_seconds'])} late: everything needs "
        f"{_count(state['requests_per_day_needed'])} requests a day, and the runs can send "
        f"{state['requests_per_day_capacity']:,}"
    )
    return _about("sweeps-behind", since, said)


def _count(number: int | None) -> str:
    return "an unknown number of" if number is None else f"{number:,}"


def _throttled(seen: _Seen) -> Attention | None:
    since = seen.lasting("throttled")
    if since is None:
        return None
    runs = conditions.judged(seen.ledger.runs, seen.now)
    said = (
        f"{sum(it.throttled for it in runs)} of the last {len(runs)} runs were throttled, because "
        "other programs use up the tenant's requests"
    )
    return _about("throttled", since, said)


def _wrong_list(wrong: WrongList | None) -> Attention | None:
    if wrong is None:
        return None
    first, *others = wrong.problems
    more = f" (and {len(others)} more)" if others else ""
    return _about(
        "scan-list",
        wrong.since,
        f"The newest list of scans is not in use, and the last valid one is: "
        f"{quoted(first, PROBLEM_MOST)}{more}",
    )

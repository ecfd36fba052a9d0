"""From a transcript of `python -m shared doctor` to a simulator that behaves as it describes.

A transcript has facts (`docs/formats.md`). What it does not tell keeps its default.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from simulator.faults import FOREVER, Fault
from simulator.lateness import Lateness
from simulator.switches import Switches

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 1

HOUR_MS = 3_600_000
DAYS_AHEAD = 1
COUNT_MOST = 200_000
"""A busy tenant is simulated for less than its reach, because its index is held in memory."""

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How to simulate the API and the tenant of a transcript.

    Attributes:
        switches: How the API behaves, by the names of the switches; the others keep their defaults.
        faults: What no switch can do.
        lateness: How long after its event an activity is saved.
        per_second: The average number of activities per second.
        count: The number of activities that fill the reach, at most `COUNT_MOST`.

    """

    switches: Json
    faults: tuple[Fault, ...]
    lateness: Lateness
    per_second: float
    count: int


def read(path: Path) -> Likeness:
    """Return the likeness of a transcript.

    Raises:
        ValueError: The file cannot be read, or holds no transcript of this version.

    """
    try:
        transcript = json.loads(path.read_bytes())
    except (OSError, ValueError) as problem:
        message = f"{path} cannot be read as a transcript: {problem}"
        raise ValueError(message) from problem
    if not isinstance(transcript, dict) or transcript.get("version") != VERSION:
        message = f"{path} holds no transcript of version {VERSION}."
        raise ValueError(message)
    return likeness(transcript)


def likeness(transcript: Json) -> Likeness:
    """Return how to simulate what a transcript tells.

    Raises:
        ValueError: A fact has a value that no switch has.

    """
    facts, exchanges = transcript["facts"], transcript["exchanges"]
    switches = {
        **_page(facts),
        **_order(facts),
        **_continuation(facts),
        **_created(facts, exchanges),
        **_hole(facts, exchanges),
        **_answer(facts),
        **_flaws(exchanges),
        **_reach(facts),
        **_times(facts),
        "refuses": frozenset(facts["refused"]),
        "ignores": _ignored(facts),
    }
    Switches(**switches)  # Refuses what no switch has.
    per_second = (facts["per_hour"] or 60.0) / 3600
    days = switches.get("reach_ms", 30 * 24 * HOUR_MS) / (24 * HOUR_MS) + DAYS_AHEAD
    return Likeness(
        switches=switches,
        faults=(Fault("no-total", 1, FOREVER),) if facts["total"] == "absent" else (),
        lateness=_lateness(facts),
        per_second=per_second,
        count=min(COUNT_MOST, math.ceil(per_second * days * 86_400)),
    )


def _page(facts: Json) -> Json:
    known = facts["page_cap_is"] == "exact"
    stated = {"states_max": True} if facts["max"] == "stated" else {}
    return {**({"page_cap": facts["page_cap"]} if known else {}), **stated}


def _ignored(facts: Json) -> frozenset[str]:
    ignored = {
        "limit": facts["limit"] == "ignored",
        "created-filter": facts["created_filter"] == "ignored",
        "sortField": facts["created_sort"] == "ignored",
    }
    return frozenset(name for name, is_ignored in ignored.items() if is_ignored)


def _order(facts: Json) -> Json:
    always = {"always asc": "asc", "always desc": "desc", "reversed": "reversed"}
    sorts = always.get(facts["direction"])
    if sorts is not None:
        return {"sorts": sorts}
    default = facts["default_direction"]
    return {"default_direction": default} if default else {}


def _continuation(facts: Json) -> Json:
    return {
        **({"numbers": "point"} if facts["notation"] == "point" else {}),
        **({"echoes": "times"} if facts["echoes"] == "times" else {}),
        **({"tail_drop": "none"} if facts["boundary"] == "repeated" else {}),
    }


def _created(facts: Json, exchanges: list[Json]) -> Json:
    cursor = facts["created_cursor"]
    found: Json = {"cursor_field": cursor} if cursor else {}
    if facts["created_agrees"] == "misses activities":
        by_date, by_created = (
            _records(exchanges, name) for name in ("narrow", "narrow by created")
        )
        found["uncreated_share"] = 1 - by_created / max(1, by_date)
    return found


def _records(exchanges: list[Json], question: str) -> int:
    return max((it["records"] for it in exchanges if it["question"] == question), default=0)


def _hole(facts: Json, exchanges: list[Json]) -> Json:
    if facts["black_hole"] != "seen":
        return {}
    names = ("continued", "boundary", "another boundary")
    tries = [it for it in exchanges if it["question"] in names and it["status"] == 200]  # noqa: PLR2004 - HTTP
    shown = "created" if "created" in facts["hole_shown_by"] else "none"
    return {"black_hole_share": 1 / max(1, len(tries)), "black_hole_recovery": shown}


def _answer(facts: Json) -> Json:
    unknown = {"refused": "reject", "matches nothing": "match-nothing"}
    found: Json = {"unknown_filter": unknown.get(facts["unknown_filter"], "ignore")}
    if facts["empty_data"]:
        found["empty_data"] = facts["empty_data"]
    if facts["empty_total"] == "above zero":
        found["total"] = "phantom"
    elif facts["total"] in {"exact", "estimate"}:
        found["total"] = facts["total"]
    if facts["event_action_type"]:
        found["event_action_type"] = facts["event_action_type"]
    if facts["compressed"] == "yes":
        found["gzip_response"] = True
    if facts["retry_after"]:
        form = facts["retry_after"]
        found["retry_after"] = form if form in {"seconds", "date", "zero"} else None
    return found


def _flaws(exchanges: list[Json]) -> Json:
    records = sum(it["records"] for it in exchanges)
    nulls = sum(it["nulls"] for it in exchanges)
    unplaced = sum(it["unplaced"] for it in exchanges)
    return {
        "null_share": nulls / max(1, records + nulls),
        "unplaced_share": unplaced / max(1, records),
    }


def _reach(facts: Json) -> Json:
    is_known = facts["reach"] == "edge" and facts["reach_hours"] > 0
    return {"reach_ms": facts["reach_hours"] * HOUR_MS} if is_known else {}


def _times(facts: Json) -> Json:
    """Return the latency as a fixed part and a part for each record."""
    small, large = facts["small_page_ms"], facts["large_page_ms"]
    if small is None:
        return {}
    more = (facts["large_page"] or 0) - facts["small_page"]
    each = max(0.0, (large - small) / more) if large is not None and more > 0 else 0.0
    return {
        "latency_seconds": max(0.0, small - each * facts["small_page"]) / 1000,
        "seconds_per_record": each / 1000,
    }


def _lateness(facts: Json) -> Lateness:
    shares = tuple((share, seconds * 1000) for share, seconds in facts["lateness"])
    return Lateness(shares=shares) if shares else Lateness()

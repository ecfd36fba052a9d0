"""A plain model of what a scan may declare lost or in doubt: only what a trouble explains."""

import json
from dataclasses import dataclass, field
from typing import Any

from shared.core.intervals import Interval, Intervals, merge, subtract
from shared.core.model import POISONED
from shared.core.slices.traversal import CROWDED, EMPTY, REFUSED
from shared.core.state.committing import NOT_SWEPT
from tests.fakes import HOUR

SECOND = 1_000
MARGIN = 2 * HOUR
"""A slice proves nothing where its start is nearer to the end of the reach than this."""


@dataclass(slots=True)
class Troubles:
    """What has gone wrong in the life of a scan.

    Attributes:
        reach: how far back the API answers.
        reasons: valid reasons for doubt other than poison and time that no sweep looked at.
        poisoned: the seconds that have ever been poisoned, by their starts.
        stretches: the longer intervals that have ever been poisoned.
    """

    reach: int
    reasons: set[str] = field(default_factory=lambda: {EMPTY, CROWDED, REFUSED})
    poisoned: set[int] = field(default_factory=set)
    stretches: list[Interval] = field(default_factory=list)

    def unexplained(self, manifest: dict[str, Any], now: int) -> list[dict[str, Any]]:
        """Return what a manifest declares lost or in doubt without a good reason."""
        told = [it for it in manifest["doubt"] if not self._explains(it, now)]
        lost = manifest["lost"]
        return told if not lost or self._has_passed(lost, now) else [*told, lost]

    def _explains(self, doubt: dict[str, Any], now: int) -> bool:
        if doubt["reason"] == POISONED:
            return self.explains_poison(doubt)
        if doubt["reason"] == NOT_SWEPT:
            # A slice proves nothing once its start has passed; it is an hour long at most.
            return self._has_passed(doubt, now + HOUR) and bool(doubt["start"] <= self._edge(now))
        return doubt["reason"] in self.reasons

    def explains_poison(self, doubt: dict[str, Any]) -> bool:
        """Report whether a doubt is that of a poisoned second, and barely longer."""
        start, end = doubt["start"], doubt["end"]
        poisoned = [*self.stretches, *((at, at + SECOND) for at in self.poisoned)]
        touched = any(since < end and start < until for since, until in poisoned)
        return touched and end - start < 2 * SECOND

    def _has_passed(self, told: dict[str, Any], now: int) -> bool:
        return bool(told["end"] <= self._edge(now))

    def _edge(self, now: int) -> int:
        return now - self.reach + MARGIN


def told(manifests: dict[int, bytes]) -> tuple[Intervals, list[dict[str, Any]]]:
    """Return what all manifests declare lost and in doubt; a later look replaces doubt.

    Each doubt has the `pass` and the `number` of its manifest.
    """
    lost, doubt = list[Interval](), list[dict[str, Any]]()
    for number in sorted(manifests):
        manifest = json.loads(manifests[number])
        if manifest["decision"]:
            continue
        bounds = (manifest["start"], manifest["end"])
        if manifest["lost"]:
            lost.append(bounds)
        doubt = [
            {**it, "start": start, "end": end}
            for it in doubt
            for start, end in subtract((it["start"], it["end"]), (bounds,))
        ] + [
            {**it, **{key: manifest[key] for key in ("pass", "number")}} for it in manifest["doubt"]
        ]
    return merge(lost), doubt

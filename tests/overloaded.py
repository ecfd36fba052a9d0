"""A whole scan on fakes of a tenant that needs more requests than the scan has.

`python -m tests.overloaded` runs a week of it.
"""

import json
import sys
from bisect import bisect_left, bisect_right
from typing import Any

from bench.overload import (
    BEGIN,
    INTERVAL_MS,
    Case,
    Outcome,
    Pages,
    line_of,
    outcome_of,
    policy_of,
)
from shared.core.intervals import merge, subtract
from shared.core.state.report import report_fields
from tests.fakes import DAY, HOUR, FakeApi, FakeClock, activity
from tests.world import World


class OneByOne(FakeApi):
    """An API with one activity on a page, which it finds quickly."""

    def __init__(self, case: Case, clock: FakeClock) -> None:
        pages, at, truth = Pages(case), BEGIN - 4 * HOUR, list[int]()
        while at < BEGIN + int(case.days * DAY):
            truth.append(at)
            at = pages.following(at)
        super().__init__(truth, clock=clock, page=2)
        self.latency = case.latency

    def _select(self, body: dict[str, Any]) -> dict[str, Any]:
        bounds = body["filters"]["date"]
        first = bisect_left(self.truth, bounds["gte"])
        count = bisect_right(self.truth, bounds["lte"]) - first
        shown = [activity(at) for at in self.truth[first : first + min(count, 1)]]
        answer: dict[str, Any] = {"data": shown, "hasNext": count > 1, "total": count}
        if count > 1:
            moved = {**bounds, "gte": self.truth[first + 1]}
            answer["nextQueryFilters"] = {**body["filters"], "date": moved}
        return answer


def whole_scan(case: Case) -> Outcome:
    """Start a run every five minutes, check what is stored, and measure what is covered."""
    world, how, behind = World([], now=BEGIN), policy_of(case), 0
    world.source = world.api = OneByOne(case, world.clock)
    for start in range(BEGIN, BEGIN + int(case.days * DAY), INTERVAL_MS):
        world.clock.wall = max(world.clock.wall, start)
        world.run(how)
        world.ledgers.history.clear()
        newest = world.ledgers.value()["coverage"]["first"]
        if start > BEGIN + 6 * HOUR:
            behind = max(behind, world.clock.now() - newest[-1][1])
    manifests = [json.loads(it) for it in world.results.manifests.values()]
    done = [(it["start"], it["end"], it["requests"]["last"]) for it in manifests if it["covers"]]
    stated = report_fields(world.tally, how, "idle", duration=0)["requests_per_day_first"]
    _check(world, [(start, end) for start, end, _ in done])
    judged = (BEGIN + 6 * HOUR, world.clock.now() - how.reach)
    return outcome_of(case, done, judged, sent=len(world.api.asked), behind=behind, stated=stated)


def _check(world: World, done: list[tuple[int, int]]) -> None:
    """Check that every activity of the covered time is stored once, and no other one twice."""
    origin, covered = world.ledgers.value()["origin"], merge(done)
    left_out = list(subtract((origin, covered[-1][1]), covered))
    world.assert_complete(origin, covered[-1][1], excused=left_out)


def main() -> None:
    """Print the result of a week of working days and a weekend."""
    for lanes in (1, 3):
        case = Case(load=1.15, lanes=lanes, days=8.75, reach=1.5, weekend=0.4)
        sys.stdout.write(f"{line_of(case, whole_scan(case))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

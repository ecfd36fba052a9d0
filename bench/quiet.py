"""Counts the false alarms of the rule on quiet hours: `python -m bench.quiet`.

Tenants of different rhythm are drawn hour by hour for a year, with days off and clocks that are put
forward and back. Each hour the product's rule looks at the history as it would be. Then, at ten
working hours, nothing arrives any more, or only a fifth; the working hours until the rule says so
are counted, and until a detector could that knows the tenant.
"""

from __future__ import annotations

import argparse
import math
import random
from dataclasses import dataclass
from pathlib import Path
from statistics import median_high
from typing import TYPE_CHECKING

from bench.oracle import DAY_HOURS, Oracle, Tenant
from bench.tables import Table, replaced
from shared.core.audit.history import KEPT_MS, History, Hour, Look, empty
from shared.core.audit.quiet import quiet_of
from shared.core.model import DAY_MS, FIRST_PASS, HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

BEGIN = 1_767_225_600_000 + 4 * DAY_MS
"""2026-01-05T00:00:00Z, a Monday."""

DAYS = 365
MONTHS = 12
TENANTS = 2
BREAKS = 10
WATCHED_HOURS = 24 * 14
SHOWN = 1 / 5
WORKING_DAYS = 5
SUMMER = range(83, 293)
DAYS_OFF = (88, 91, 116, 129, 140, 276, 299, 354, 355, 360)
HOLIDAYS = range(350, 362)
SUMMER_BREAK = range(190, 232)

DOCUMENT = Path(__file__).parent.parent / "docs" / "monitoring.md"
OPENING = "<!-- table: make bench-quiet writes it -->"
CLOSING = "<!-- end of the table -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """When a tenant's people work, and how much happens then.

    Attributes:
        name: for the table.
        working: activities in an hour of work.
        night: activities in any other hour.
        weekend: whether weekends are like other days.
        bursts: how uneven it is: the larger, the more.
        off: days without work beside weekends.
        begun: the day on which its history begins.
        days: how uneven its days are, beside its hours.
    """

    name: str
    working: float
    night: float
    weekend: bool = False
    bursts: float = 0.3
    off: tuple[int, ...] = DAYS_OFF
    begun: int = 0
    days: float = 0

    def rate(self, hour: int) -> float:
        """Return how many activities are expected in an hour, counted from the beginning."""
        return self.working if self._is_open(hour) else self.night

    def works(self, hour: int) -> bool:
        """Say whether an hour is one of work; where no day is off, every hour is."""
        return self.weekend or self._is_open(hour)

    def _is_open(self, hour: int) -> bool:
        day, clock = divmod(hour + (1 if hour // 24 in SUMMER else 0), 24)
        is_off = day in self.off or (not self.weekend and day % 7 >= WORKING_DAYS)
        return not is_off and 7 <= clock < 17  # noqa: PLR2004 - o'clock


RHYTHMS = (
    Rhythm(name="large office", working=5_000, night=400),
    Rhythm(name="office", working=300, night=10),
    Rhythm(name="office with uneven days", working=300, night=10, days=0.25),
    Rhythm(name="office without anything at night", working=60, night=0),
    Rhythm(name="office, closed for two weeks", working=300, night=10, off=(*HOLIDAYS, *DAYS_OFF)),
    Rhythm(name="school with a long summer", working=300, night=4, off=(*SUMMER_BREAK, *DAYS_OFF)),
    Rhythm(name="small office", working=8, night=0.3, bursts=0.5),
    Rhythm(name="round the clock", working=200, night=120, weekend=True, off=()),
    Rhythm(name="uneven, mostly jobs", working=100, night=100, weekend=True, bursts=2.0, off=()),
    Rhythm(name="tiny, often empty", working=1, night=0.05, bursts=1.0),
    Rhythm(name="new: three weeks old", working=300, night=10, begun=DAYS - 35),
)


def drawn(rhythm: Rhythm, chance: random.Random) -> list[int]:
    """Return how many activities came in each hour of a year."""
    busy = [_uneven(rhythm.days, chance) for _ in range(DAYS)]
    return [
        _drawn(rhythm.rate(hour) * busy[hour // 24], rhythm.bursts, chance)
        for hour in range(24 * DAYS)
    ]


def _uneven(bursts: float, chance: random.Random) -> float:
    """Draw a factor around 1: the larger `bursts`, the farther from it."""
    return chance.gammavariate(1 / bursts, bursts) if bursts else 1.0


def _drawn(rate: float, bursts: float, chance: random.Random) -> int:
    """Draw a count whose spread is that of arrivals by chance, and more where it is uneven."""
    if not rate:
        return 0
    rate *= _uneven(bursts, chance)
    if rate > 100:  # noqa: PLR2004 - from here on the two are the same
        return max(0, round(chance.gauss(rate, math.sqrt(rate))))
    limit, count, product = math.exp(-rate), 0, chance.random()
    while product > limit:
        count += 1
        product *= chance.random()
    return count


def history_at(counts: list[int], hour: int, begun: int) -> History:
    """Return the history after so many hours."""
    history = empty("all")
    for number in range(max(24 * begun, hour - KEPT_MS // HOUR_MS - 1), hour):
        _put(history, number, counts[number])
    return history


def _put(history: History, number: int, records: int) -> None:
    at = BEGIN + number * HOUR_MS
    history.hours[at] = Hour(records=records, passes={FIRST_PASS: Look(covered=HOUR_MS, at=at)})


def false_alarms(counts: list[int], rhythm: Rhythm) -> int:
    """Return how often the rule begins to say that a scan is quiet that is not."""
    history, alarms, was_quiet = empty("all"), 0, False
    for number in range(24 * rhythm.begun, len(counts)):
        _put(history, number, counts[number])
        history.hours.pop(BEGIN + number * HOUR_MS - KEPT_MS - HOUR_MS, None)
        is_quiet = quiet_of(history) is not None
        alarms += is_quiet and not was_quiet
        was_quiet = is_quiet
    return alarms


def delay(counts: list[int], rhythm: Rhythm, begin: int, left: Sequence[int]) -> int | None:
    """Return after how many working hours the rule sees that less comes; None for two weeks.

    Args:
        counts: what would have come in each hour.
        rhythm: the tenant's.
        begin: the first hour of which less comes.
        left: what comes in each hour from then on.
    """
    history, worked = history_at(counts, begin, rhythm.begun), 0
    for number, records in enumerate(left[:WATCHED_HOURS], start=begin):
        _put(history, number, records)
        worked += rhythm.works(number)
        if quiet_of(history):
            return worked
    return None


def oracle_of(rhythm: Rhythm, counts: list[int], share: float) -> Oracle:
    """Return the detector that knows this tenant, and looks for so small a share."""
    rates = [rhythm.rate(hour) for hour in range(len(counts))]
    tenant = Tenant(rates=rates, bursts=rhythm.bursts, days=rhythm.days)
    return Oracle.tuned(tenant, share, counts, most=MONTHS - 1)


def least_delay(oracle: Oracle, rhythm: Rhythm, begin: int, left: Sequence[int]) -> int | None:
    """Return after how many working hours the oracle sees what `delay` waits for."""
    noticed = oracle.notices(begin, left)
    if noticed is None or noticed >= WATCHED_HOURS:
        return None
    return sum(rhythm.works(begin + ago) for ago in range(noticed + 1))


def row(rhythm: Rhythm, tenants: int, seed: str) -> list[str]:
    """Return what the table says about tenants of one rhythm."""
    alarms, found = 0, [list[int | None]() for _ in range(4)]
    for number in range(tenants):
        chance = random.Random(f"{seed} {rhythm.name} {number}")  # noqa: S311 - it must be repeatable
        counts = drawn(rhythm, chance)
        alarms += false_alarms(counts, rhythm)
        oracles = [oracle_of(rhythm, counts, share) for share in (0, SHOWN)]
        for begin in chance.sample(_working_hours(rhythm), BREAKS):
            rest = counts[begin : begin + WATCHED_HOURS + DAY_HOURS]
            for place, left in enumerate(([0] * len(rest), [_thinned(it, chance) for it in rest])):
                found[2 * place].append(delay(counts, rhythm, begin, left))
                found[2 * place + 1].append(least_delay(oracles[place], rhythm, begin, left))
    months = MONTHS * (DAYS - rhythm.begun) / DAYS
    return [rhythm.name, f"{alarms / tenants / months:.2f}", *map(_noticed, found)]


def _working_hours(rhythm: Rhythm) -> list[int]:
    """Return the hours at which something may break: after five weeks, or ten days if it is new."""
    first = rhythm.begun + 10 if rhythm.begun else 40
    hours = range(24 * first, 24 * DAYS - WATCHED_HOURS)
    return [hour for hour in hours if 8 <= hour % 24 < 16 and rhythm.works(hour)]  # noqa: PLR2004


def _thinned(count: int, chance: random.Random) -> int:
    """Draw how many of so many activities are left."""
    if count > 100:  # noqa: PLR2004 - from here on the two are the same
        spread = math.sqrt(count * SHOWN * (1 - SHOWN))
        return min(count, max(0, round(chance.gauss(count * SHOWN, spread))))
    return sum(chance.random() < SHOWN for _ in range(count))


def _noticed(delays: list[int | None]) -> str:
    """Return the median and the largest delay; a dash where it was not noticed."""
    longest = [math.inf if it is None else it for it in delays]
    return f"{_hours(median_high(longest))} ({_hours(max(longest))})"


def _hours(hours: float) -> str:
    return "–" if math.isinf(hours) else f"{hours:.0f} h"


def table(tenants: int = TENANTS, seed: str = "reported") -> Table:
    """Return the false alarms and the delays of all rhythms."""
    return Table(
        title="False alarms",
        head=(
            "tenant",
            "false alarms a month",
            "nothing arrives: noticed after",
            "possible after",
            "a fifth arrives: noticed after",
            "possible after",
        ),
        rows=[row(rhythm, tenants, seed) for rhythm in RHYTHMS],
    )


def main() -> None:
    """Print the table, or write it where it belongs."""
    parser = argparse.ArgumentParser(prog="python -m bench.quiet", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write it into docs/monitoring.md")
    parser.add_argument("--seed", default="reported", help="draws other tenants")
    options = parser.parse_args()
    made = str(table(seed=options.seed))
    if options.write:
        text = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(replaced(text, OPENING, CLOSING, made), encoding="utf-8")
    else:
        print(made)


if __name__ == "__main__":
    main()

"""Counts the false alarms of the rule on quiet hours: `python -m bench.quiet`.

Tenants of different rhythm are drawn hour by hour for a year, with days off and clocks that are put
forward and back. Each hour the product's rule looks at the history as it would be. Then each tenant
falls silent at ten working hours, and the time until the rule says so is counted.
"""

from __future__ import annotations

import argparse
import math
import random
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.tables import Table, replaced
from shared.core.audit.history import KEPT_MS, History, Hour, Look, empty
from shared.core.audit.quiet import quiet_hours
from shared.core.model import DAY_MS, FIRST_PASS, HOUR_MS

BEGIN = 1_767_225_600_000 + 4 * DAY_MS
"""2026-01-05T00:00:00Z, a Monday."""

DAYS = 365
MONTHS = 12
TENANTS = 2
BREAKS = 10
WATCHED_HOURS = 24 * 7
WORKING_DAYS = 5
SUMMER = range(83, 293)
DAYS_OFF = (88, 91, 116, 129, 140, 276, 299, 354, 355, 360)
HOLIDAYS = range(350, 362)

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
    """

    name: str
    working: float
    night: float
    weekend: bool = False
    bursts: float = 0.3
    off: tuple[int, ...] = DAYS_OFF
    begun: int = 0

    def rate(self, hour: int) -> float:
        """Return how many activities are expected in an hour, counted from the beginning."""
        day, clock = divmod(hour + (1 if hour // 24 in SUMMER else 0), 24)
        is_off = day in self.off or (not self.weekend and day % 7 >= WORKING_DAYS)
        return self.working if not is_off and 7 <= clock < 17 else self.night  # noqa: PLR2004 - o'clock


RHYTHMS = (
    Rhythm(name="large office", working=5_000, night=400),
    Rhythm(name="office", working=300, night=10),
    Rhythm(name="office without anything at night", working=60, night=0),
    Rhythm(name="office, closed for two weeks", working=300, night=10, off=(*HOLIDAYS, *DAYS_OFF)),
    Rhythm(name="round the clock", working=200, night=120, weekend=True, off=()),
    Rhythm(name="uneven, mostly jobs", working=100, night=100, weekend=True, bursts=2.0, off=()),
    Rhythm(name="tiny, often empty", working=1, night=0.05, bursts=1.0),
    Rhythm(name="new, no history", working=300, night=10, begun=DAYS - 14),
)


def drawn(rhythm: Rhythm, chance: random.Random) -> list[int]:
    """Return how many activities came in each hour of a year."""
    return [_drawn(rhythm.rate(hour), rhythm.bursts, chance) for hour in range(24 * DAYS)]


def _drawn(rate: float, bursts: float, chance: random.Random) -> int:
    """Draw a count whose spread is that of arrivals by chance, and more where it is uneven."""
    if not rate:
        return 0
    rate *= chance.gammavariate(1 / bursts, bursts)
    if rate > 100:  # noqa: PLR2004 - from here on the two are the same
        return max(0, round(chance.gauss(rate, math.sqrt(rate))))
    limit, count, product = math.exp(-rate), 0, chance.random()
    while product > limit:
        count += 1
        product *= chance.random()
    return count


def history_at(counts: list[int], hour: int, begun: int, silent: int | None = None) -> History:
    """Return the history after so many hours of a tenant that was silent from one of them on."""
    history = empty("all")
    for number in range(max(24 * begun, hour - KEPT_MS // HOUR_MS - 1), hour):
        seen = 0 if silent is not None and number >= silent else counts[number]
        _put(history, number, seen)
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
        is_quiet = quiet_hours(history) > 0
        alarms += is_quiet and not was_quiet
        was_quiet = is_quiet
    return alarms


def delay(counts: list[int], rhythm: Rhythm, silent: int) -> int | None:
    """Return after how many hours the rule sees that a tenant has been silent; None for a week."""
    history = history_at(counts, silent, rhythm.begun)
    for number in range(silent, min(silent + WATCHED_HOURS, len(counts))):
        _put(history, number, 0)
        if quiet_hours(history):
            return number - silent + 1
    return None


def row(rhythm: Rhythm, tenants: int) -> list[str]:
    """Return what the table says about tenants of one rhythm."""
    alarms, delays = 0, list[int | None]()
    for number in range(tenants):
        chance = random.Random(f"{rhythm.name} {number}")  # noqa: S311 - it must be repeatable
        counts = drawn(rhythm, chance)
        alarms += false_alarms(counts, rhythm)
        working = [
            hour
            for hour in range(24 * (max(rhythm.begun, 58) + 2), 24 * (DAYS - 7))
            if hour % 24 in range(8, 16) and rhythm.rate(hour) == rhythm.working
        ]
        delays += [delay(counts, rhythm, hour) for hour in chance.sample(working, BREAKS)]
    noticed = [it for it in delays if it is not None]
    months = MONTHS * (DAYS - rhythm.begun) / DAYS
    return [
        rhythm.name,
        f"{alarms / tenants / months:.2f}",
        f"{median(noticed):.0f} h" if noticed else "never",
        f"{max(noticed)} h" if noticed else "never",
        f"{len(delays) - len(noticed)} of {len(delays)}",
    ]


def table(tenants: int = TENANTS) -> Table:
    """Return the false alarms and the delays of all rhythms."""
    return Table(
        title="False alarms",
        head=(
            "tenant",
            "false alarms a month",
            "silence noticed after (median)",
            "at most",
            "not within a week",
        ),
        rows=[row(rhythm, tenants) for rhythm in RHYTHMS],
    )


def main() -> None:
    """Print the table, or write it where it belongs."""
    parser = argparse.ArgumentParser(prog="python -m bench.quiet", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write it into docs/monitoring.md")
    made = str(table())
    if parser.parse_args().write:
        text = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(replaced(text, OPENING, CLOSING, made), encoding="utf-8")
    else:
        print(made)


if __name__ == "__main__":
    main()

"""`status`: how a scan is, on a terminal or as JSON. Only storage is asked, nothing is written."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from shared.core.audit.attention import WrongList, shown
from shared.core.audit.status import Status
from shared.core.audit.strip import DAYS_SHOWN, Cell, State
from shared.core.model import HOUR_MS, Policy
from shared.core.quoting import quoted
from shared.core.state import ledger as ledgers
from shared.ports import DerivedStore, LedgerStore
from shared.scan.publishing import seen

MARKS: dict[State, str] = {
    "outside": " ",
    "waiting": ".",
    "in progress": "-",
    "complete": "+",
    "final": "#",
    "blocked": "B",
    "in doubt": "?",
    "lost": "X",
}
"""One character for each hour, which a screen reader and a log can tell apart, too."""


def read_status(
    ledger: LedgerStore,
    derived: DerivedStore,
    policy: Policy,
    *,
    now: int,
    wrong_list: WrongList | None = None,
) -> Status:
    """Return how a scan is, from what is stored and from what is wrong with the list of scans.

    Raises:
        LedgerUnreadable: the ledger cannot be read.
        StoreUnavailable: storage cannot be reached or refuses.
    """
    content = ledger.load().content
    known = None if content is None else ledgers.decode(content)
    return seen(known, derived, policy, now=now, wrong_list=wrong_list)


def lines_of(status: Status) -> Iterator[str]:
    """Yield a status as lines of text, the verdict first."""
    yield f"{status.scan}: {status.verdict}"
    for it in status.attention:
        yield f"  ! {quoted(it.text, 500)} (severity {it.severity}): see {it.help}"
    yield from _figures(status)
    if status.cells:
        yield ""
        yield from _strip(status.cells)
    for slice_ in status.slices:
        what = "blocked" if slice_.blocked else "open"
        fault = f": {quoted(slice_.fault)}" if slice_.fault else ""
        yield f"  {what} {slice_.look} {_time(slice_.start)} to {_time(slice_.end)}{fault}"


def _figures(status: Status) -> Iterator[str]:
    state = status.state
    if state:
        yield f"  complete until {_time(state['covered_until'])}, final until " + _time(
            state["final_until"]
        )
        yield f"  behind {shown(state['lag_seconds'])}, backlog {shown(state['backlog_seconds'])}"
    if status.backlog_gone:
        yield f"  the backlog will be gone about {_time(status.backlog_gone)}"
    if status.delay_usual is not None:
        yield f"  an hour is complete {shown(status.delay_usual)} after its end (median of 7 days)"
    if state.get("requests_per_day_needed") is not None:
        yield (
            f"  {state['requests_per_day_needed']} requests a day needed, "
            f"{state['requests_per_day_capacity']} possible"
        )
    if status.late_by_pass:
        found = ", ".join(f"{count} by {name}" for name, count in status.late_by_pass.items())
        yield f"  late activities: {found}"
    if status.runs:
        ends = Counter(it.outcome for it in status.runs)
        told = ", ".join(f"{count} {quoted(name)}" for name, count in ends.items())
        yield f"  the last {len(status.runs)} runs: {told}"
    yield f"  manifest {status.head.number}, in the history up to {status.history_through}"


def _strip(cells: tuple[Cell, ...]) -> Iterator[str]:
    """Yield a line for each day, a character for each hour."""
    days: dict[str, list[str]] = {}
    records: Counter[str] = Counter()
    for cell in cells:
        day = f"{_utc(cell.hour):%Y-%m-%d}"
        marks = days.setdefault(day, [" "] * 24)
        marks[cell.hour // HOUR_MS % 24] = MARKS[cell.state]
        records[day] += cell.records
    for day, marks in days.items():
        if any(mark != " " for mark in marks):
            yield f"  {day} |{''.join(marks)}| {records[day]:,}"
    legend = ", ".join(f"{mark} {name}" for name, mark in MARKS.items() if mark != " ")
    yield f"  the last {DAYS_SHOWN} days, by hour (UTC): {legend}"


def _time(instant: int) -> str:
    return f"{_utc(instant):%Y-%m-%d %H:%M} UTC"


def _utc(instant: int) -> datetime:
    return datetime.fromtimestamp(instant // 1000, UTC)

"""`status`: how scans are, on a terminal or as JSON. Only storage is asked, nothing is written."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.core.audit.attention import WrongList, shown
from shared.core.audit.overview import (
    Glance,
    Overview,
    counted,
    glance_of,
    overview_of,
    unread,
)
from shared.core.audit.status import Status
from shared.core.audit.strip import DAYS_SHOWN, Cell, State
from shared.core.errors import ScanError
from shared.core.model import HOUR_MS, Policy
from shared.core.quoting import quoted
from shared.core.state import ledger as ledgers
from shared.operate.reading import LANES, read_ahead
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


FEW = 10
"""So many scans are shown with all their details; of more, only the overview is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known about one scan.

    Attributes:
        scan: its name.
        api: host of the API that it asks.
        status: how it is, or why that cannot be read.
    """

    scan: str
    api: str
    status: Status | ScanError

    def glance(self) -> Glance:
        """Return how it is at a glance."""
        if isinstance(self.status, ScanError):
            return unread(self.scan, self.api, str(self.status), self.status.help)
        return glance_of(self.status, self.api)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is known about all scans that were asked for, at one moment.

    Attributes:
        found: the scans, in the order of the settings.
        now: epoch ms.
    """

    found: tuple[Found, ...]
    now: int

    @property
    def is_long(self) -> bool:
        """Whether there are too many scans to show the details of all."""
        return len(self.found) > FEW

    def overview(self) -> Overview | None:
        """Return how they all are; None if there is only one."""
        if len(self.found) == 1:
            return None
        return overview_of((it.glance() for it in self.found), self.now)

    def statuses(self) -> list[Status]:
        """Return the statuses that could be read."""
        return [it.status for it in self.found if isinstance(it.status, Status)]

    def errors(self) -> dict[str, ScanError]:
        """Return why the others could not be read, by scan."""
        return {it.scan: it.status for it in self.found if isinstance(it.status, ScanError)}


def read_all(
    policies: Sequence[Policy],
    read: Callable[[Policy], Status],
    *,
    now: int,
    step: Callable[[], None] = lambda: None,
) -> Reading:
    """Return what is known about each scan; several are read at once.

    A scan that cannot be read hides no other. Where none of the first that are read at once can
    be read, the reason is most likely the same for all, and the others are not tried.

    Args:
        policies: of the scans.
        read: reads the status of one; must be thread-safe.
        now: epoch ms.
        step: is called after each scan.

    Raises:
        ScanError: no scan can be read.
    """
    found: list[Found] = []
    for policy, status in read_ahead(policies, lambda it: _tried(it, read)):
        found.append(Found(scan=policy.scan, api=policy.api, status=status))
        step()
        may_end = len(found) in {LANES, len(policies)}
        if may_end and isinstance(status, ScanError) and not _any_read(found):
            raise status
    return Reading(found=tuple(found), now=now)


def _any_read(found: Sequence[Found]) -> bool:
    return any(isinstance(it.status, Status) for it in found)


def _tried(policy: Policy, read: Callable[[Policy], Status]) -> Status | ScanError:
    try:
        return read(policy)
    except ScanError as error:
        return error


def text_of(reading: Reading) -> Iterator[str]:
    """Yield what is known as lines of text; of several scans, the overview comes first."""
    overview = reading.overview()
    if overview:
        yield from overview_lines(overview)
    if reading.is_long:
        yield ""
        yield "--scan NAME shows the details of a scan"
        return
    for it in reading.statuses():
        if overview:
            yield ""
        yield from lines_of(it)


def overview_lines(overview: Overview) -> Iterator[str]:
    """Yield an overview as lines of text, the worst first; a scan has a line."""
    yield f"{len(overview.scans):,} scans: {', '.join(said for _, said in counted(overview))}"
    width = max(len(it.scan) for it in overview.scans)
    for tone, said in counted(overview):
        yield ""
        yield said
        for it in overview.scans:
            if it.tone == tone:
                yield f"  {it.scan:<{width}}  {it.verdict} {_aside(it)}"


def _aside(glance: Glance) -> str:
    """Return the figures of a scan, where to look for help, and which tenant it is."""
    told = []
    if glance.lag_seconds:
        told.append(f"behind {shown(glance.lag_seconds)}")
    if glance.delay is not None:
        told.append(f"delay {shown(glance.delay)}")
    if glance.helps():
        told.append(f"severity {glance.severity()}: see {', '.join(glance.helps())}")
    return f"({'; '.join([*told, glance.api])})"


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

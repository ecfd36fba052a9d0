"""The ledger: the state of a scan between its runs."""

from typing import Literal

import msgspec

from shared.core.intervals import Interval, Intervals
from shared.core.model.scale import Axis, Direction, Span
from shared.core.model.slice import Doubt, Slice


class Loss(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An interval that is declared lost: it passed the API's reach before it was scanned.

    Attributes:
        start: first millisecond lost.
        end: first millisecond after it.
        reason: why it is lost.
    """

    start: int
    end: int
    reason: str


class Commit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is being committed, a finished slice or a decision; all of it is fixed before it starts.

    Attributes:
        slice: the finished slice, with its block list; null for a decision.
        start: first proven millisecond; null for a decision.
        end: first millisecond after the proven ones; null for a decision.
        number: the manifest's place in the chain.
        manifest: the manifest's bytes (JSON text).
        covers: the passes whose coverage grows; empty if the interval is declared lost.
        lost: the reason, if the interval is declared lost; otherwise null.
    """

    slice: Slice | None
    start: int | None
    end: int | None
    number: int
    manifest: str
    covers: tuple[str, ...]
    lost: str | None

    @property
    def bounds(self) -> Interval | None:
        """The interval that it proves; None for a decision."""
        return None if self.start is None or self.end is None else (self.start, self.end)


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last manifest of the chain.

    Attributes:
        number: its number; 0 if there is none yet.
        sha256: SHA-256 of its bytes, in hex; null if there is none yet.
    """

    number: int = 0
    sha256: str | None = None


class Pacing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What keeps requests inside the tenant's budget, across runs.

    Attributes:
        sent_at: when each request of the last 60 s was sent.
        not_before: end of a throttle: the whole scan waits until then.
        throttles: number of throttles since the last page; each doubles the wait.
        durations: how long the latest answered steps took, in ms, newest last.
        requests: number of requests so far. Every fifth goes to the oldest slice, and every tenth
            to fresh time.
        starts: when the latest runs claimed the ledger, oldest first.
    """

    sent_at: tuple[int, ...] = ()
    not_before: int = 0
    throttles: int = 0
    durations: tuple[int, ...] = ()
    requests: int = 0
    starts: tuple[int, ...] = ()


class Load(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, array_like=True):
    """What the first pass over one hour has cost.

    Attributes:
        requests: number of requests that returned pages for slices which were committed and not
            lost.
        covered: number of milliseconds of the hour that they covered.
    """

    requests: int
    covered: int


class ApiFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the API's own answers have shown about it, where it is not as documented.

    All of it is forgotten a day after the first of it was learned, and by another version of the
    program: then the documented way is tried again.

    Attributes:
        program: version of the program that learned this; empty if nothing is known.
        learned: when the first of these facts was learned; 0 if nothing is known.
        sorts: for each direction that was asked for, the direction in which the API answered, if
            they differ.
        limit: the largest limit to ask for, if the API refused or ignored a larger one; null if it
            has not.
        unsorted: whether sort field and direction are left out where they equal the API's defaults.
        plain_dense: whether a dense millisecond is asked for as one page, because the API does not
            sort by the other time field.
        full_sweeps: whether all sweeps ask for everything, because the API refused their filter on
            ingestion time.
        refused: the forms of a query that the API refused, each with the API's answer.
        trial: bounds of the slice that tries a form with fewer options; null once the API has
            answered that form with a page.
    """

    program: str = ""
    learned: int = 0
    sorts: dict[Direction, Direction] = {}
    limit: int | None = None
    unsorted: bool = False
    plain_dense: bool = False
    full_sweeps: bool = False
    refused: tuple[str, ...] = ()
    trial: Span | None = None


class Totals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the ledger no longer lists, because it lies before `settled_until`.

    Attributes:
        lost: number of milliseconds declared lost.
        doubt: number of milliseconds in doubt.
    """

    lost: int = 0
    doubt: int = 0


class ApiClock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The API's clock, as the `Date` of its last answer showed it.

    Attributes:
        offset: how far the API's clock is ahead of the run's time, in ms; negative if it is behind,
            and 0 if the time that the answer took explains the difference.
        at: when the answer arrived, by the run's time.
    """

    offset: int
    at: int


class Accepted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change of filters that an operator accepted.

    Attributes:
        fingerprint: fingerprint of the new filters and the sort field.
        at: when they were accepted.
    """

    fingerprint: str
    at: int


class Pause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operator's order that the runs send no request.

    Attributes:
        since: when the scan was paused.
        until: when the pause ends by itself; null if it only ends when somebody resumes the scan.
        by: who paused it.
        reason: why, in the operator's words; empty if no reason was given.
    """

    since: int
    until: int | None
    by: str
    reason: str


DecisionKind = Literal[
    "pause",
    "resume",
    "rescan",
    "rescan-done",
    "backfill",
    "accept-filters",
    "retry",
    "restore",
]
"""What was decided: each lever has a kind, and `rescan-done` says that a rescan is finished."""


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change of the scan that an operator ordered, or that followed from such an order.

    Attributes:
        number: counts the decisions about this scan, from 1.
        kind: what was decided: `pause`, `resume`, `rescan`, `rescan-done`, `backfill`,
            `accept-filters`, `retry` or `restore`.
        at: when.
        by: who decided it: the user of the command line, the name of a setting, or `the scan`.
        reason: why, in the operator's words; empty if no reason was given.
        what: what changes, in a sentence.
        pass_name: the pass of a rescan; null for other kinds.
        bounds: the time that is scanned again or added; null for other kinds.
        fingerprint: fingerprint of the filters that were accepted; null for other kinds.
    """

    number: int
    kind: DecisionKind
    at: int
    by: str
    reason: str
    what: str
    pass_name: str | None = msgspec.field(name="pass", default=None)
    bounds: Span | None = None
    fingerprint: str | None = None


Condition = Literal["soon-lost", "lag", "over-budget", "sweeps-behind", "throttled"]
"""What runs find wrong with a scan, and what needs a person if it lasts."""


class Ended(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, array_like=True):
    """The end of a run that released its claim.

    Attributes:
        at: when it ended.
        outcome: why, as in its report line.
        throttled: whether the API throttled it, or a throttle held when it ended.
        backlog: how much time was due and not covered, in ms.
    """

    at: int
    outcome: str
    throttled: bool
    backlog: int


class Ledger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The scan's whole state; one small JSON blob with one writer.

    Attributes:
        version: version of this format.
        min_reader: the oldest format version whose programs may use this ledger.
        scan: the scan's name.
        axis: the sort field by which time is cut.
        fingerprint: fingerprint of the filters and the sort field that the coverage stands for.
        accepted: changes of the filters that an operator accepted.
        api: host of the API when the ledger was last claimed.
        made: when the ledger was created.
        origin: where the scan begins; fixed on the first run, rounded down to the hour.
        lookback: the setting from which `origin` was computed, in ms.
        epoch: number of claims so far; part of every block id.
        run: random id of the run that claimed it last.
        claimed_until: when the claim expires; 0 if it was released.
        settled_until: nothing is added before this time any more, and `coverage`, `lost`, `doubt`
            and `parts_by_hour` begin here. A claim moves it to the hour at the edge of the API's
            reach, but not past time in which anything is unfinished.
        last_sweep: age of the last sweep in ms, by the settings of the latest claim; 0 if there are
            no sweeps, null before the first claim.
        coverage: for each pass, the finished intervals; it only grows. Partial passes have a name
            of their own, such as `sweep-24h-since`.
        lost: the intervals declared lost.
        doubt: the intervals in doubt.
        totals: sums of what `lost` and `doubt` held before `settled_until`.
        parts_by_hour: number of parts committed per UTC hour (epoch ms of its start). A sweep that
            finds fewer must not take their records for late.
        unplaced: UTC hours (epoch ms of their starts) whose parts hold records without a position
            on the axis. For these, a sweep also reads the parts next to its slice.
        rescans: for each pass `rescan-<epoch>`, the intervals that an operator asked to have
            scanned again.
        pause: the order that the runs send no request; null if the scan is not paused.
        decisions: the last 50 decisions about the scan, oldest first.
        reported: number of the newest decision that a report line has stated; 0 if none has.
        outstanding: decisions that change what is scanned and that no manifest states yet, oldest
            first. The next run commits a manifest for each.
        open: the open slices; they never overlap.
        committing: the slice or decision that is being committed; null if none is.
        head: the last manifest of the chain.
        pacing: use of the request budget.
        load: what the first pass has cost per UTC hour (epoch ms of its start), for the newest 168
            hours of which something is covered.
        overloaded: whether the first pass needs more requests than the runs can send.
        api_facts: where the API differs from its documentation, as its answers have shown.
        pages: number of pages that the scan has received; it distinguishes a poisoned second from
            an outage.
        api_clock: the API's clock; null until an answer has stated a `Date`.
        runs: how the last 24 runs ended that released the claim, oldest first.
        conditions: since when each condition holds that the last of these runs found: `soon-lost`,
            `lag`, `over-budget`, `sweeps-behind` or `throttled`.
        lost_at: when the newest loss was declared; null if none was.
        doubt_by_hour: the least time in doubt, in ms, that the runs of a UTC hour (epoch ms of its
            start) left, for the last 25 hours in which a run ended.
    """

    version: int
    min_reader: int
    scan: str
    axis: Axis
    fingerprint: str
    accepted: tuple[Accepted, ...] = ()
    api: str
    made: int
    origin: int
    lookback: int
    epoch: int
    run: str
    claimed_until: int
    settled_until: int
    last_sweep: int | None = None
    coverage: dict[str, Intervals]
    lost: tuple[Loss, ...] = ()
    doubt: tuple[Doubt, ...] = ()
    totals: Totals = Totals()
    parts_by_hour: dict[int, int] = {}
    unplaced: tuple[int, ...] = ()
    rescans: dict[str, Intervals] = {}
    pause: Pause | None = None
    decisions: tuple[Decision, ...] = ()
    reported: int = 0
    outstanding: tuple[Decision, ...] = ()
    open: tuple[Slice, ...] = ()
    committing: Commit | None = None
    head: Head = Head()
    pacing: Pacing = Pacing()
    load: dict[int, Load] = {}
    overloaded: bool = False
    api_facts: ApiFacts = ApiFacts()
    pages: int = 0
    api_clock: ApiClock | None = None
    runs: tuple[Ended, ...] = ()
    conditions: dict[Condition, int] = {}
    lost_at: int | None = None
    doubt_by_hour: dict[int, int] = {}

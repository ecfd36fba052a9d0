"""The words of the design as frozen values.

Persisted values are `msgspec.Struct`s: their fields are the ledger's format (`docs/formats.md`),
and unknown fields are refused. All others are frozen dataclasses. Times are epoch milliseconds.
"""

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from shared.core.intervals import Intervals

Axis = Literal["date", "created"]
"""The API's `sortField`: `date` is event time, `created` is ingestion time."""

Direction = Literal["asc", "desc"]


def other_field(axis: Axis) -> Axis:
    """Return the time field that the axis is not."""
    return "created" if axis == "date" else "date"


def reverse(direction: Direction) -> Direction:
    """Return the other direction."""
    return "desc" if direction == "asc" else "asc"


SweepBy = Literal["full", "created"]
"""What a sweep asks for: everything, or only what was ingested since the look before."""

Span = tuple[int, int]
"""Smallest and largest value, both inclusive."""

FIRST_PASS = "first"  # noqa: S105 - a pass over time, no password

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

LIMIT_MIN = 500
"""The smallest page that scan mode serves (the API's documentation of `limit`)."""

LIMIT_MAX = 5_000
"""The largest page that scan mode serves (the API's documentation of `limit`)."""


class Doubt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An interval about which the API contradicted itself.

    Attributes:
        start: first millisecond in doubt.
        end: first millisecond after it.
        reason: how the API contradicted itself, or what was not looked at.
    """

    start: int
    end: int
    reason: str


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


class Block(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stretch of a part, staged as one block: one page's records, or the trailer.

    Attributes:
        id: the block id before base64: `{epoch:08}-{n:06}-{first 16 hex digits of the SHA-256}`.
        size: number of bytes as stored (compressed).
        records: number of lines; 0 in the trailer, which is the last block of a part.
        sha256: SHA-256 of the stored bytes, in hex.
        raw: length of its lines in bytes, newlines included; 0 in the trailer.
        crc32: CRC-32 of its lines, newlines included; 0 in the trailer.
        timestamp: smallest and largest `timestamp` of its records; null if no record has one.
        created: smallest and largest `created` of its records; null if no record has one.
    """

    id: str
    size: int
    records: int
    sha256: str
    raw: int
    crc32: int
    timestamp: Span | None
    created: Span | None

    @property
    def is_trailer(self) -> bool:
        """Whether it ends its part."""
        return self.records == 0


class Seen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, array_like=True):
    """A record at or after the cursor, kept so that its repetition is recognised.

    Attributes:
        at: the record's position on the axis.
        other: the record's position on the other time field, by which a dense millisecond is paged;
            null if it has none.
        identity: digest of `_id`, `timestamp` and `created`, or of the line if one of them is
            missing.
        content: digest of the line as stored.
    """

    at: int
    other: int | None
    identity: str
    content: str


class Counts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happened to the records and answers of one slice.

    Attributes:
        records: records that were stored.
        repeated: records that were dropped because this slice had stored the same identity with the
            same bytes.
        changed: records that were dropped because this slice had stored the same identity with
            other bytes.
        outside: records that were dropped because they lie outside what the query asked for.
        nulls: nulls where a record should be.
        unplaced: records without a position on the axis, whether they were stored or already known.
        irregular: records that were stored in the wrapped form that strict readers accept.
        drifted: continuations whose other filters differ from ours.
        known: records that a sweep did not store because an earlier pass had stored them.
        late: records that a sweep stored because no earlier pass had seen them.
        vanished: records that an earlier pass stored and the API no longer showed to a sweep.
        short: how often a slice ended with far fewer activities than `total` stated.
        faults: answers that were not a page.
    """

    records: int = 0
    repeated: int = 0
    changed: int = 0
    outside: int = 0
    nulls: int = 0
    unplaced: int = 0
    irregular: int = 0
    drifted: int = 0
    known: int = 0
    late: int = 0
    vanished: int = 0
    short: int = 0
    faults: int = 0

    def plus(self, **more: int) -> "Counts":
        """Return the counts with the named ones raised."""
        raised = {name: getattr(self, name) + extra for name, extra in more.items()}
        return msgspec.structs.replace(self, **raised)


class Dense(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a slice stands inside one millisecond that is paged on the other time field.

    Attributes:
        millisecond: the millisecond.
        cursor: value of the other time field to continue from; null at the beginning.
        probing: true if an empty page that contradicted itself led here; false if a cursor that
            stood still did.
        plain: true if the millisecond is asked for as one page, because the API does not sort by
            the other time field.
        direction: the direction in which it is paged; `desc` if the API answers `asc` with `desc`.
    """

    millisecond: int
    cursor: int | None
    probing: bool
    plain: bool = False
    direction: Direction = "asc"


class Slice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An open slice: a half-open interval of the axis that is being scanned.

    Attributes:
        start: first millisecond. `start`, `end` and `pass` name the part.
        end: first millisecond after it, within the same UTC hour.
        pass_name: why it is scanned: `first`, `sweep-<age>` or `rescan-<epoch>`.
        direction: the direction in which it is read.
        asked: the direction to ask for, so that the API answers in `direction`; null if they are
            the same.
        limit: the page limit to ask for; heavy answers halve it.
        cursor: with `asc` everything before it is known, with `desc` everything from it on.
        continuation: `nextQueryFilters` of the last page, verbatim; null to start a new query at
            the cursor.
        mode: how the slice continues. `page` follows the continuation. The others resolve a
            contradiction at one millisecond: `dense` pages that millisecond, `beyond` looks after
            it, `opposite` comes from the other end.
        dense: how far the dense millisecond has been read.
        blocks: the blocks staged so far, in order.
        furthest: position of the record staged farthest along; null if there is none.
        seen: the records at or after the cursor.
        unplaced: digests of the staged records without a position on the axis, which the API may
            show again at any time.
        earlier: the same for parts that were closed early, if this slice took over their rest.
        counts: what happened to the records so far.
        lateness: number of late records by how late they were. The keys are `10m`, `1h`, `2h`,
            `24h`, `72h`, `8d` (at most that long between event and ingestion) and `more`.
        since: earliest ingestion time that a partial sweep asks for; null asks for everything.
        requests: number of requests sent for this slice so far.
        first_request: when the first request was sent, by the run's time or by the `Date` of the
            first page, whichever is earlier.
        last_answer: when the last answer of any kind arrived, by the run's time or by its `Date`,
            whichever is later.
        faults: number of answers in a row that were not a page.
        fault: human-readable description of the latest fault.
        not_before: when the next request may be sent.
        blocked: whether the slice is only retried every hour.
        cramped: whether it is blocked only because there was no room for its halves.
        pages_at_fault: how many pages the scan had received at the latest fault.
        poisoned: number of faults in a row between which other slices received pages.
        doubt: the doubt found so far.
    """

    start: int
    end: int
    pass_name: str = msgspec.field(name="pass")
    direction: Direction
    asked: Direction | None = None
    limit: int
    cursor: int
    continuation: str | None = None
    mode: Literal["page", "dense", "beyond", "opposite"] = "page"
    dense: Dense | None = None
    blocks: tuple[Block, ...] = ()
    furthest: int | None = None
    seen: tuple[Seen, ...] = ()
    unplaced: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    counts: Counts = Counts()
    lateness: dict[str, int] = {}
    since: int | None = None
    requests: int = 0
    first_request: int | None = None
    last_answer: int | None = None
    faults: int = 0
    fault: str | None = None
    not_before: int = 0
    blocked: bool = False
    cramped: bool = False
    pages_at_fault: int = 0
    poisoned: int = 0
    doubt: tuple[Doubt, ...] = ()


class Commit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The one slice that is being committed; everything about it is fixed before it starts.

    Attributes:
        slice: the finished slice, with its block list.
        start: first proven millisecond.
        end: first millisecond after the proven ones.
        number: the manifest's place in the chain.
        manifest: the manifest's bytes (JSON text).
        covers: the passes whose coverage grows; empty if the interval is declared lost.
        lost: the reason, if the interval is declared lost; otherwise null.
    """

    slice: Slice
    start: int
    end: int
    number: int
    manifest: str
    covers: tuple[str, ...]
    lost: str | None


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
        open: the open slices; they never overlap.
        committing: the slice that is being committed; null if none is.
        head: the last manifest of the chain.
        pacing: use of the request budget.
        load: what the first pass has cost per UTC hour (epoch ms of its start), for the newest 168
            hours of which something is covered.
        overloaded: whether the first pass needs more requests than the runs can send.
        api_facts: where the API differs from its documentation, as its answers have shown.
        pages: number of pages that the scan has received; it distinguishes a poisoned second from
            an outage.
        api_clock: the API's clock; null until an answer has stated a `Date`.
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
    open: tuple[Slice, ...] = ()
    committing: Commit | None = None
    head: Head = Head()
    pacing: Pacing = Pacing()
    load: dict[int, Load] = {}
    overloaded: bool = False
    api_facts: ApiFacts = ApiFacts()
    pages: int = 0
    api_clock: ApiClock | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How one scan is to be done; durations in milliseconds (`docs/settings.md`).

    Attributes:
        scan: its name.
        filters: the user's filters, without the axis.
        fingerprint: identifies filters and sort field.
        accept: fingerprint of a change that the operator accepts, if any.
        axis: the sort field.
        direction: of new slices.
        limit: of new slices.
        api: host of the API, to notice a changed tenant.
        budget: wall time of one run.
        lookback: how far back the first run begins.
        settle: how old time must be before it is first scanned.
        fresh: time younger than this is cut in `slice_length`, older time in hours.
        slice_length: of fresh slices; divides an hour.
        sweeps: ages of the later looks, ascending, with their pass names.
        sweep_by: `full` looks ask for everything; `created` asks only for what was ingested since
            the look before, but for the oldest sweep.
        reach: how far back the API answers.
        concurrency: slices in work at once.
        requests_per_minute: this scan's share of the tenant's budget.
        requests_per_hour: the same where the share is below one a minute; None where it is not.
    """

    scan: str
    filters: dict[str, Any]
    fingerprint: str
    accept: str | None
    axis: Axis
    direction: Direction
    limit: int
    api: str
    budget: int
    lookback: int
    settle: int
    fresh: int
    slice_length: int
    sweeps: tuple[tuple[str, int], ...]
    sweep_by: SweepBy
    reach: int
    concurrency: int
    requests_per_minute: int
    requests_per_hour: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """A committed part, as the names in its hour describe it.

    Attributes:
        name: within the data container.
        size: bytes, compressed.
        start: first millisecond of which it may hold records.
        end: first millisecond after it.
    """

    name: str
    size: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartBlob:
    """A blob where parts are, whoever wrote it.

    Attributes:
        name: within the data container.
        size: bytes.
        metadata: as stored. The commit of a part sets it, a copy may have lost it, and nothing
            but a check reads it.
    """

    name: str
    size: int
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to the Activities API, ready to send.

    Attributes:
        body: the JSON body, UTF-8.
    """

    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, complete, whatever it says.

    Attributes:
        status: HTTP status.
        body: decoded from its content encoding.
        date: the `Date` header in epoch ms, None when absent or unreadable.
        retry_after: the `Retry-After` header as sent.
        content_type: the `Content-Type` header as sent.
        location: where a redirect points.
    """

    status: int
    body: bytes
    date: int | None = None
    retry_after: str | None = None
    content_type: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """No complete answer arrived.

    Attributes:
        kind: `timeout` (the total deadline), `connection` (refused, reset, cut),
            `too large` (over the byte cap) or `sign-in` (no token for a passing reason).
        detail: for people; never holds a secret.
    """

    kind: Literal["timeout", "connection", "too large", "sign-in"]
    detail: str

"""The slice: where it stands, what happened to it, and what it can say about itself.

Every question is answered for both directions here, so that no other module has to distinguish
them. The cursor divides a slice into what is known and what remains: with `asc` everything before
the cursor is known, with `desc` everything from the cursor on.
"""

from typing import Literal

import msgspec

from shared.core.intervals import Interval
from shared.core.model.scale import Direction, Span, reverse

Mode = Literal["page", "dense", "beyond", "opposite"]
"""What the next request of a slice is about; `slices/traversal` explains the modes."""

POISONED = "the API answered for other time and never for this"
"""The reason for doubt about time that is poisoned."""


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

    @property
    def is_poison(self) -> bool:
        """Whether the time is in doubt because it is poisoned."""
        return self.reason == POISONED


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
        blocked_since: since when the slice is only retried every hour; null if it is not blocked.
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
    mode: Mode = "page"
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
    blocked_since: int | None = None
    cramped: bool = False
    pages_at_fault: int = 0
    poisoned: int = 0
    doubt: tuple[Doubt, ...] = ()

    @classmethod
    def fresh(
        cls, bounds: Interval, *, pass_name: str, direction: Direction, limit: int
    ) -> "Slice":
        """Return a slice with its cursor at the end where its direction begins."""
        start, end = bounds
        cursor = start if direction == "asc" else end
        return cls(
            start=start,
            end=end,
            pass_name=pass_name,
            direction=direction,
            limit=limit,
            cursor=cursor,
        )

    @property
    def blocked(self) -> bool:
        """Whether it is only retried every hour."""
        return self.blocked_since is not None

    @property
    def near_end(self) -> int:
        """The edge at which the slice begins to be read."""
        return self.start if self.direction == "asc" else self.end

    @property
    def far_end(self) -> int:
        """The edge at which it is read to its end."""
        return self.end if self.direction == "asc" else self.start

    @property
    def has_begun(self) -> bool:
        """Whether it has taken in a page; every page moves the cursor or changes the mode."""
        return self.cursor != self.near_end or self.mode != "page"

    @property
    def heading(self) -> Direction:
        """The direction in which the pages of its next request are read."""
        return reverse(self.direction) if self.mode == "opposite" else self.direction

    @property
    def asked_direction(self) -> Direction:
        """The direction that its next request asks for.

        A dense millisecond is always asked for in the same direction, however its pages are read.
        """
        if self.mode == "dense":
            return "asc"
        asked = self.asked or self.direction
        return reverse(asked) if self.mode == "opposite" else asked

    @property
    def held_up_at(self) -> Dense:
        """The millisecond that holds it up.

        Raises:
            AssertionError: nothing holds it up; a mode without it is a mistake in this program.
        """
        if self.dense is None:
            raise AssertionError(f"a slice in mode {self.mode} has no dense millisecond")
        return self.dense

    @property
    def remaining(self) -> Interval:
        """The half-open interval that its next request asks for; may be empty."""
        if self.mode == "dense":
            at = self.held_up_at.millisecond
            return (at, at + 1)
        if self.mode == "opposite":
            at = self.held_up_at.millisecond
            return (at + 1, self.cursor) if self.direction == "asc" else (self.cursor, at)
        return self.ahead

    @property
    def ahead(self) -> Interval:
        """What lies ahead of its cursor, whatever holds it up."""
        return (self.cursor, self.end) if self.direction == "asc" else (self.start, self.cursor)

    @property
    def next_millisecond(self) -> int:
        """The first millisecond that its next request asks for."""
        return self.cursor if self.heading == "asc" else self.cursor - 1

    @property
    def remembered(self) -> int:
        """How many identities it remembers."""
        return len(self.seen) + len(self.unplaced) + len(self.earlier)

    def known_up_to(self, cursor: int) -> Interval:
        """Return what is known of it when its cursor stands there."""
        return (self.start, cursor) if self.direction == "asc" else (cursor, self.end)

    def past(self, millisecond: int) -> int:
        """Return where its cursor stands once this millisecond is known."""
        return millisecond + 1 if self.direction == "asc" else millisecond

    def is_ahead(self, cursor: int) -> bool:
        """Say whether a cursor has moved on from where its request began."""
        return cursor > self.cursor if self.heading == "asc" else cursor < self.cursor

    def leaves_something(self, cursor: int) -> bool:
        """Say whether anything remains to be asked for from this cursor on."""
        start, end = self.remaining
        return cursor < end if self.heading == "asc" else cursor > start

    def may_divide(self, cursor: int) -> bool:
        """Say whether it can be divided there: no staged record lies at or after the cursor."""
        if self.furthest is None:
            return True
        return self.furthest < cursor if self.direction == "asc" else self.furthest >= cursor

    def paging(self) -> "Slice":
        """Return it without what holds it up; it will ask again for what the probes found."""
        at = self.cursor
        if self.mode == "opposite":
            at = self.past(self.held_up_at.millisecond)
        return msgspec.structs.replace(self, mode="page", dense=None, cursor=at)

    def redirected(self, direction: Direction, asked: Direction) -> "Slice":
        """Return it, not begun, so that asking for `asked` reads it in `direction`."""
        return msgspec.structs.replace(
            self,
            direction=direction,
            asked=None if asked == direction else asked,
            cursor=self.start if direction == "asc" else self.end,
        )

    def same_again(self, bounds: Interval) -> "Slice":
        """Return a fresh slice over `bounds` that keeps direction, limit and `since`.

        What this one has staged is given up; what earlier parts hold is still remembered.
        """
        fresh = Slice.fresh(
            bounds, pass_name=self.pass_name, direction=self.direction, limit=self.limit
        )
        return msgspec.structs.replace(
            fresh, asked=self.asked, since=self.since, earlier=self.earlier
        )

    def carried_on(self, bounds: Interval) -> "Slice":
        """Return a fresh slice over what is left of this one, whose blocks become a part.

        The API may show the records without a position in that part again, anywhere in the rest,
        so the fresh slice knows them all.
        """
        return msgspec.structs.replace(
            self.same_again(bounds), earlier=(*self.earlier, *self.unplaced)
        )

    def doubted(self, bounds: Interval, reason: str) -> "Slice":
        """Return it with `bounds` in doubt, unless they are empty."""
        start, end = bounds
        if start >= end:
            return self
        doubt = Doubt(start=start, end=end, reason=reason)
        return msgspec.structs.replace(self, doubt=(*self.doubt, doubt))

"""What may be kept of an answer: counts, sizes, times, and names from fixed lists.

Every text in these values is one of the names below, so nothing that an activity or a tenant says
can get into them. That is how a transcript is anonymous: it has no place for anything else.
"""

from typing import Literal, get_args

import msgspec

from shared.core.model import Axis, Direction

Question = Literal[
    "as the scan asks",
    "in the documented form",
    "ascending",
    "without sortField",
    "without sortDirection",
    "descending",
    "large",
    "continued",
    "boundary",
    "another boundary",
    "hole by created",
    "after the hole",
    "hole descending",
    "narrow",
    "narrow by created",
    "filtered by created",
    "by created",
    "by created, continued",
    "empty",
    "at the reach",
    "oldest of all",
    "unknown filter",
    "event type",
]
"""The questions, in the order of their importance."""

QUESTIONS: tuple[Question, ...] = get_args(Question)

Result = Literal["page", "empty", "throttled", "not accepted", "refused", "fault", "no answer"]
"""What came back: `not accepted` is a 400, `refused` concerns whoever asks."""

Order = Literal["ascending", "descending", "mixed"]

Member = Literal["data", "hasNext", "nextQueryFilters", "total", "max", "moreThanTotal", "isCached"]
"""Members of an answer that the documentation of the API's lists mentions."""

MEMBERS: tuple[Member, ...] = get_args(Member)

Type = Literal["text", "whole number", "number", "boolean", "null", "list", "object"]

Filter = Literal["date", "created", "activity.eventActionType", "unknown", "of the scan"]
"""Filters of a question: `of the scan` stands for all those in its settings."""

Bound = Literal[
    "date.gte",
    "date.lte",
    "date.range",
    "created.gte",
    "created.lte",
    "created.range",
    "activity.eventActionType.eq",
]
"""Bounds that a continuation may state, as documented."""

BOUNDS: tuple[Bound, ...] = get_args(Bound)

Header = Literal[
    "age",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-security-policy",
    "content-type",
    "date",
    "etag",
    "expires",
    "location",
    "pragma",
    "retry-after",
    "server",
    "set-cookie",
    "strict-transport-security",
    "transfer-encoding",
    "vary",
    "via",
    "x-content-type-options",
    "x-frame-options",
    "x-xss-protection",
]
"""Names of headers that every web server might send; their values are never kept."""

HEADERS: tuple[Header, ...] = get_args(Header)

Field = Literal[
    "_id",
    "aadTenantId",
    "appId",
    "appName",
    "classifications",
    "collected",
    "confidenceLevel",
    "created",
    "createdRaw",
    "description",
    "description_id",
    "description_metadata",
    "device",
    "entityData",
    "eventRouting",
    "eventType",
    "eventTypeName",
    "eventTypeValue",
    "genericEventType",
    "instantiation",
    "instantiationRaw",
    "internals",
    "location",
    "lograbberService",
    "mainInfo",
    "rawDataJson",
    "resolvedActor",
    "resolvedActorAccount",
    "saasId",
    "severity",
    "source",
    "srcAppId",
    "tenantId",
    "timestamp",
    "timestampRaw",
    "uid",
    "user",
    "userAgent",
]
"""Top-level fields of an activity that the API's documentation shows."""

FIELDS: tuple[Field, ...] = get_args(Field)

Refusable = Literal["limit", "sortField", "sortDirection", "desc", "created-sort", "created-filter"]
"""Parts of a query that a 400 may be about."""

Notation = Literal["digits", "point", "text"]
EmptyData = Literal["list", "null", "missing", "object"]
RetryAfter = Literal["seconds", "date", "zero", "absent", "other"]


class Exchange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question and its answer, without anything that the answer said about an activity.

    Attributes:
        question: which question it was.
        limit: the `limit` that was asked for; null if none was.
        sort_field: the `sortField` that was asked for; null if none was.
        sort_direction: the `sortDirection` that was asked for; null if none was.
        filters: the filters that were sent, by name.
        result: what kind of answer came.
        status: the HTTP status; null without an answer.
        milliseconds: how long it took.
        bytes: length of the body, unpacked.
        headers: names of the headers that are on the list.
        other_headers: number of headers that are not.
        retry_after: form of the `Retry-After` header of a throttle; null for other answers.
        members: members of the answer that the documentation mentions.
        other_members: number of members that it does not mention.
        data: what `data` was; null if the body is not an answer.
        records: number of records.
        nulls: number of nulls in the place of a record.
        unplaced: number of records without a usable `timestamp` or `created`.
        has_next: what `hasNext` said; null if it was not a boolean.
        total: what `total` said; null if it was not a whole number.
        max: what `max` said; null if it was not a whole number.
        by_date: order of the records by `timestamp`; null below two different ones.
        by_created: order of the records by `created`; null below two different ones.
        continuation: bounds in `nextQueryFilters` that the documentation mentions.
        other_bounds: number of bounds and filters in it that the documentation does not mention.
        notation: how it writes its numbers; null if it has none.
    """

    question: Question
    limit: int | None = None
    sort_field: Axis | None = None
    sort_direction: Direction | None = None
    filters: tuple[Filter, ...] = ()
    result: Result
    status: int | None = None
    milliseconds: int
    bytes: int = 0
    headers: tuple[Header, ...] = ()
    other_headers: int = 0
    retry_after: RetryAfter | None = None
    members: tuple[Member, ...] = ()
    other_members: int = 0
    data: EmptyData | None = None
    records: int = 0
    nulls: int = 0
    unplaced: int = 0
    has_next: bool | None = None
    total: int | None = None
    max: int | None = None
    by_date: Order | None = None
    by_created: Order | None = None
    continuation: tuple[Bound, ...] = ()
    other_bounds: int = 0
    notation: Notation | None = None


class Lag(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, array_like=True):
    """How late activities are saved.

    Attributes:
        share: share of the activities, 0 to 1.
        seconds: at most so long after its event, each of them was saved.
    """

    share: float
    seconds: int


class Facts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was measured; null where the answers do not tell.

    Attributes:
        default_direction: direction of a query that names none.
        direction: whether `sortDirection` is obeyed.
        refused: parts of a query that the API does not accept.
        limit: what happens to a `limit` of 5000.
        page_cap: the largest page that the API serves.
        page_cap_is: whether that is known, or only the largest page that came.
        small_page_ms: how long a page with a limit of 500 took.
        small_page: number of records on it.
        large_page_ms: how long a page with a limit of 5000 took.
        large_page: number of records on it.
        cursor: bound that a continuation by `date` moves.
        notation: how a continuation writes its numbers.
        echoes: whether a continuation repeats the filters on other fields than its own.
        boundary: whether records at the cursor come on both pages.
        black_hole: whether a query that begins at a populated millisecond showed nothing.
        hole_shown_by: queries that showed what such a query hid.
        created_filter: what happens to a filter on `created`.
        created_sort: what happens to `sortField` `created`.
        created_agrees: whether queries by `created` show the same activities as queries by `date`.
        created_scan: whether the page after a page by `created` goes on where that ended.
        created_cursor: field that a continuation by `created` moves.
        empty_data: what `data` is in an answer without records.
        empty_total: what `total` is in an answer that cannot have records.
        total: whether `total` is the number of matches.
        max: whether an answer states the limit that was applied.
        unknown_filter: what happens to a filter that does not exist.
        event_action_type: whether the documented filter `activity.eventActionType` works.
        reach_hours: age of the oldest activity that the API showed, rounded up.
        reach: whether that is as far as the API answers, or only as far as activities go.
        lateness: how late activities were saved.
        lateness_of: number of activities in that.
        nulls: whether a null came in the place of a record.
        unplaced: whether a record had no usable time.
        compressed: whether answers were compressed.
        retry_after: form of the `Retry-After` header of a throttle.
        per_hour: number of activities in an hour, about.
    """

    default_direction: Direction | None = None
    direction: Literal["obeyed", "always asc", "always desc", "reversed", "unsorted"] | None = None
    refused: tuple[Refusable, ...] = ()
    limit: Literal["obeyed", "capped", "ignored", "refused"] | None = None
    page_cap: int | None = None
    page_cap_is: Literal["exact", "at least"] | None = None
    small_page_ms: int | None = None
    small_page: int | None = None
    large_page_ms: int | None = None
    large_page: int | None = None
    cursor: Bound | None = None
    notation: Notation | None = None
    echoes: Literal["all", "times"] | None = None
    boundary: Literal["clean", "repeated"] | None = None
    black_hole: Literal["seen", "not seen"] | None = None
    hole_shown_by: tuple[Literal["created", "next", "descending"], ...] = ()
    created_filter: Literal["honoured", "ignored", "refused"] | None = None
    created_sort: Literal["obeyed", "ignored", "refused"] | None = None
    created_agrees: Literal["agrees", "misses activities"] | None = None
    created_scan: Literal["goes on", "goes back"] | None = None
    created_cursor: Axis | None = None
    empty_data: EmptyData | None = None
    empty_total: Literal["zero", "above zero", "absent"] | None = None
    total: Literal["exact", "estimate", "absent"] | None = None
    max: Literal["stated", "absent"] | None = None
    unknown_filter: Literal["ignored", "refused", "matches nothing"] | None = None
    event_action_type: Literal["works", "ignored"] | None = None
    reach_hours: int | None = None
    reach: Literal["edge", "at least"] | None = None
    lateness: tuple[Lag, ...] = ()
    lateness_of: int = 0
    nulls: Literal["seen", "not seen"] | None = None
    unplaced: Literal["seen", "not seen"] | None = None
    compressed: Literal["yes", "no"] | None = None
    retry_after: RetryAfter | None = None
    per_hour: float | None = None

"""The switches: all behaviour of the API that is unknown, that differs, or that is a bug.

The defaults are the known or most likely behaviour. A test sets single switches:
`Switches(page_cap=500)`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DAY_MS = 86_400_000

TailDrop: TypeAlias = Literal["millisecond", "few", "none"]
Dense: TypeAlias = Literal["repeat", "empty", "black-hole"]
CursorField: TypeAlias = Literal["created", "date"]
Recovery: TypeAlias = Literal["created", "none"]
Total: TypeAlias = Literal["estimate", "exact", "phantom"]
TrailingSlash: TypeAlias = Literal["redirect", "ignore-body"]
UnknownFilter: TypeAlias = Literal["ignore", "reject", "match-nothing"]
EventActionType: TypeAlias = Literal["works", "ignored"]
ThrottleBody: TypeAlias = Literal["detail", "error-message"]
RetryAfter: TypeAlias = Literal["seconds", "date", "zero"]
EmptyData: TypeAlias = Literal["list", "null", "missing", "object"]
Sorts: TypeAlias = Literal["as-asked", "asc", "desc", "reversed"]
Numbers: TypeAlias = Literal["digits", "point"]
TimeField: TypeAlias = Literal["timestamp", "created"]
DefaultDirection: TypeAlias = Literal["asc", "desc"]
Echoes: TypeAlias = Literal["all", "times"]

REFUSABLE = frozenset(
    {"limit", "sortField", "sortDirection", "created-sort", "created-filter", "desc"}
)
IGNORABLE = frozenset({"sortField", "limit", "created-filter"})

_CHOICES: dict[str, tuple[object, ...]] = {
    "tail_drop": get_args(TailDrop),
    "dense": get_args(Dense),
    "cursor_field": get_args(CursorField),
    "black_hole_recovery": get_args(Recovery),
    "total": get_args(Total),
    "trailing_slash": get_args(TrailingSlash),
    "unknown_filter": get_args(UnknownFilter),
    "event_action_type": get_args(EventActionType),
    "throttle_body": get_args(ThrottleBody),
    "retry_after": (*get_args(RetryAfter), None),
    "empty_data": get_args(EmptyData),
    "sorts": get_args(Sorts),
    "numbers": get_args(Numbers),
    "unplaced_field": get_args(TimeField),
    "default_direction": get_args(DefaultDirection),
    "echoes": get_args(Echoes),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """How the simulated API behaves.

    Attributes:
        page_cap: The most records that a scan page holds, whatever `limit` says (500 or 5000 are
            observed; a small one makes small pages).
        default_limit: The `limit` of a scan without one.
        minimum_limit: A scan's smaller `limit` is raised to this (never above `page_cap`).
        non_scan_default_limit: The `limit` outside of scans without one.
        non_scan_cap: The most records of a page outside of scans (100 or 250 are observed).
        deep_skip_limit: `skip + limit` beyond this is refused outside of scans.
        deep_skip_status: The status of that refusal (400 or 500).
        throttle_per_minute: Requests that all clients together may send in any 60 seconds; None for
            no throttle.
        retry_after: The form of the `Retry-After` header of a 429, where `zero` always says 0; None
            sends none.
        throttle_body: The form of the body of a 429.
        latency_seconds: How long an answer takes, in real seconds; a callable gets the request's
            number.
        seconds_per_record: How much longer it takes for each record in it.
        tail_drop: What is missing at the end of a scan page that is not the last: the whole last
            millisecond, the last few records, or nothing.
        tail_drop_few: How many records `tail_drop="few"` drops.
        dense: What a scan answers when one millisecond fills the page: that page with the same
            cursor, no data with the same cursor, or the black hole.
        cursor_field: Where the continuation of a scan by `created` has its cursor: `created`, or
            `date` with the event time of the boundary record.
        black_hole_share: The share (0 to 1) of milliseconds X for which an ascending scan with
            `gte` = X finds nothing although activities lie on X; decided by the seed, so each X is
            always or never one.
        black_holes: Milliseconds that are always such holes.
        black_hole_recovery: Whether sorting by `created` shows the activities on a hole.
        sorts: Whether a scan is sorted as requested, always in one direction, or always opposite
            to the request.
        default_direction: How a query is sorted that names no direction.
        echoes: Which of the caller's filters a continuation repeats: all of them, or only those on
            times, so that a scan that follows it loses the others.
        numbers: How the continuation writes its cursor: with digits alone, or with a decimal point
            (`1700000000000.0`).
        empty_data: What an answer without records has as `data`: an empty list, null or nothing;
            with `object` it is an empty object if it would also count nothing.
        states_max: Whether an answer also states `max` (the limit that was applied) and
            `moreThanTotal`, as the API's list of alerts does.
        uncreated_share: The share (0 to 1) of activities that no query shows that sorts by
            `created` or filters on it; decided by the seed.
        null_share: The share (0 to 1) of activities in whose place the API always shows null;
            decided by the seed.
        unplaced_share: The share (0 to 1) of activities whose record has an unusable time: missing,
            null, text, a fraction or a boolean; decided by the seed. The API still finds and sorts
            them by their true times.
        unplaced_field: The field with that time.
        total: Whether `total` is an estimate that changes from call to call, exact, or an estimate
            that is above zero even when nothing matches.
        count_cap: Where `/count/` stops counting, to say `moreThanTotal`; None counts all.
        total_noise: The error of the estimate, as a share of the exact number.
        trailing_slash: What a path without its trailing slash does: redirect (301), or ignore the
            body.
        unknown_filter: Whether filters and operators that are not documented are ignored, are
            rejected (400), or match nothing.
        event_action_type: Whether the documented name `activity.eventActionType` works or is
            ignored.
        hide_until_created: Whether an activity is shown only once the server's clock has reached
            its `created`.
        visibility_jitter_ms: The largest additional delay until it is shown, drawn per activity.
        reach_ms: How far back the API shows events; older ones are silently missing. None is no
            limit.
        archive_reach_ms: How far back the archive shows events.
        archive_span_ms: The longest window of event time that the archive answers; None is no
            limit (whether the API itself has one is not known).
        gzip_response: Whether answers are compressed for clients that accept it.
        pretty: Whether JSON is indented (only white space differs).
        skew_ms: How far the server's clock, and with it `Date`, is ahead of the simulator's clock.
        refuses: What a scan refuses with a 400: any of `limit` (above 500), `sortField`,
            `sortDirection` (that they are sent at all), `created-sort`, `created-filter`, `desc`.
        ignores: What a scan ignores: any of `sortField`, `limit` (the page holds `page_cap`
            records), `created-filter`.
        seed: Decides everything random here.

    """

    page_cap: int = 5000
    default_limit: int = 500
    minimum_limit: int = 500
    non_scan_default_limit: int = 100
    non_scan_cap: int = 100
    deep_skip_limit: int = 5000
    deep_skip_status: int = 400
    throttle_per_minute: int | None = 30
    retry_after: RetryAfter | None = "seconds"
    throttle_body: ThrottleBody = "detail"
    latency_seconds: float | Callable[[int], float] = 0.0
    seconds_per_record: float = 0.0
    tail_drop: TailDrop = "millisecond"
    tail_drop_few: int = 3
    dense: Dense = "repeat"
    cursor_field: CursorField = "created"
    black_hole_share: float = 0.0
    black_holes: frozenset[int] = frozenset()
    black_hole_recovery: Recovery = "created"
    sorts: Sorts = "as-asked"
    default_direction: DefaultDirection = "desc"
    echoes: Echoes = "all"
    numbers: Numbers = "digits"
    empty_data: EmptyData = "list"
    states_max: bool = False
    uncreated_share: float = 0.0
    null_share: float = 0.0
    unplaced_share: float = 0.0
    unplaced_field: TimeField = "timestamp"
    total: Total = "estimate"
    count_cap: int | None = None
    total_noise: float = 0.02
    trailing_slash: TrailingSlash = "redirect"
    unknown_filter: UnknownFilter = "ignore"
    event_action_type: EventActionType = "works"
    hide_until_created: bool = True
    visibility_jitter_ms: int = 0
    reach_ms: int | None = 30 * DAY_MS
    archive_reach_ms: int = 180 * DAY_MS
    archive_span_ms: int | None = 7 * DAY_MS
    gzip_response: bool = False
    pretty: bool = False
    skew_ms: int = 0
    refuses: frozenset[str] = frozenset()
    ignores: frozenset[str] = frozenset()
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values that a switch does not have."""
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                allowed = ", ".join(str(choice) for choice in choices)
                message = f"Switch {name} is {getattr(self, name)!r}; choose one of: {allowed}."
                raise ValueError(message)
        for name, known in (("refuses", REFUSABLE), ("ignores", IGNORABLE)):
            if not getattr(self, name) <= known:
                message = f"Switch {name} takes any of: {', '.join(sorted(known))}."
                raise ValueError(message)
        if self.page_cap < 1 or self.minimum_limit < 1:
            message = "Switches page_cap and minimum_limit need to be at least 1."
            raise ValueError(message)

    def seconds(self, number: int, records: int) -> float:
        """Return how long the answer to a request takes.

        Args:
            number: The request's.
            records: How many the answer holds.

        """
        fixed = self.latency_seconds
        return (fixed(number) if callable(fixed) else fixed) + self.seconds_per_record * records

    def with_texts(self, texts: Mapping[str, str]) -> Switches:
        """Return these switches with some replaced by values from a command line.

        Raises:
            ValueError: A name is unknown, or a value does not fit.

        """
        known = {field.name for field in fields(self)}
        for name in texts:
            if name not in known:
                message = f"There is no switch {name!r}; there are: {', '.join(sorted(known))}."
                raise ValueError(message)
        return replace(self, **{name: _parsed(name, text) for name, text in texts.items()})


def _parsed(name: str, text: str) -> Any:  # noqa: ANN401 - the type is the switch's own
    default = getattr(Switches(), name)
    if text.lower() in {"none", "null", "off"} and name in {
        "count_cap",
        "throttle_per_minute",
        "retry_after",
        "reach_ms",
        "archive_span_ms",
    }:
        return None
    if name in {"refuses", "ignores"}:
        return frozenset(part for part in text.split(",") if part)
    if isinstance(default, frozenset):
        return frozenset(int(part) for part in text.split(","))
    if isinstance(default, str):
        return text
    value = _scalar(name, text)
    kind = int if default is None else type(default)
    if isinstance(value, bool) is not (kind is bool):
        message = f"Switch {name} takes a value like {default!r}, not {text!r}."
        raise ValueError(message)
    return kind(value)


def _scalar(name: str, text: str) -> int | float | bool:
    try:
        value = json.loads(text.lower())
    except ValueError:
        value = None
    if not isinstance(value, (int, float)):
        message = f"Switch {name} takes a number, true or false, not {text!r}."
        raise ValueError(message)  # noqa: TRY004 - a bad command line, not a bad call
    return value

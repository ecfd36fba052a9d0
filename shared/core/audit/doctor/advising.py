"""Facts beside what this program assumes: what each difference means, and which settings follow."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shared.core.audit.doctor.reports import Finding
from shared.core.audit.doctor.words import Facts
from shared.core.model import (
    DAY_MS,
    HOUR_MS,
    LIMIT_MAX,
    LIMIT_MIN,
    MINUTE_MS,
    SECOND_MS,
    Policy,
)

CONCURRENCY_MOST = 16
SETTLE_LEAST_MS = 5 * MINUTE_MS
SETTLE_MOST_MS = HOUR_MS
"""What SCAN_SETTLE is recommended within; the sweeps are there for what comes later."""

SETTLED_SHARE = 0.95
"""So large a share of the activities should have been saved when time is first scanned."""

SAMPLE_LEAST = 100
"""Activities that a recommendation about lateness needs."""

REACH_SLACK_HOURS = 24
"""A reach that is shorter by less than this may be a quiet night at the edge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """How one fact is judged.

    Attributes:
        fact: its name, as shown.
        assumed: what this program assumes.
        measured: the fact in words, None if it could not be told.
        differs: whether what was measured is not what is assumed.
        meaning: what it means for the scan.
    """

    fact: str
    assumed: str
    measured: str | None
    differs: bool
    meaning: str


def findings(facts: Facts, policy: Policy) -> tuple[Finding, ...]:
    """Return every fact beside what is assumed, and what it means."""
    return tuple(_finding(judge(facts, policy)) for judge in _JUDGES)


def _finding(row: _Row) -> Finding:
    if row.measured is None:
        return Finding(
            fact=row.fact,
            measured="nothing",
            assumed=row.assumed,
            result="could not tell",
            meaning=_UNTOLD.get(row.fact, _TOO_LITTLE),
        )
    return Finding(
        fact=row.fact,
        measured=row.measured,
        assumed=row.assumed,
        result="differs" if row.differs else "as assumed",
        meaning=row.meaning,
    )


def _same(*, fact: str, assumed: str, measured: str | None, meaning: str) -> _Row:
    """Return how a fact is judged that differs unless it is exactly what is assumed."""
    return _Row(
        fact=fact,
        assumed=assumed,
        measured=measured,
        differs=measured != assumed,
        meaning=meaning,
    )


_TOO_LITTLE = "The answers did not tell: there were too few activities, or the API did not answer."

_UNTOLD = {
    "page cap": "No page was full, so this tenant is too quiet to tell.",
    "throttle": "The API did not throttle any of these requests, and doctor does not provoke it.",
    "black hole": "No query could be made that begins where an activity is, in ascending order.",
    "filters in the continuation": "No page of a filtered query was full.",
    "refused forms": "The API answered no query.",
    "compression": "No answer had headers.",
}
"""Why a fact may be missing, where there is more to say than that."""


def _page_cap(facts: Facts, policy: Policy) -> _Row:
    told: dict[str | None, str] = {
        "obeyed": "The scan gets as many activities from a request as it asks for.",
        "capped": "Larger limits are answered with smaller pages, so they bring nothing.",
        "ignored": "The API makes pages of its own size, whatever it is asked for.",
        "refused": "The API refuses a larger limit. The scan notices and asks for less.",
    }
    known = facts.page_cap is not None and facts.limit is not None
    least = "about" if facts.page_cap_is == "exact" else "at least"
    return _Row(
        fact="page cap",
        assumed=f"up to {policy.limit:,} records (SCAN_LIMIT)",
        measured=f"{least} {facts.page_cap:,} records; a limit of {LIMIT_MAX:,} is {facts.limit}"
        if known
        else None,
        differs=facts.page_cap_is == "exact" and (facts.page_cap or 0) < policy.limit,
        meaning=told.get(facts.limit, ""),
    )


def _latency(facts: Facts, policy: Policy) -> _Row:
    needed = concurrency(facts, policy)
    pages = (
        (facts.small_page_ms, facts.small_page),
        (facts.large_page_ms, facts.large_page),
    )
    told = [
        f"{_seconds(took)} for {records:,} records" for took, records in pages if took is not None
    ]
    return _Row(
        fact="latency",
        assumed=f"SCAN_CONCURRENCY={policy.concurrency} uses the whole request budget",
        measured=", ".join(told) or None,
        differs=needed is not None and needed > policy.concurrency,
        meaning=f"With such pages it takes {needed} slices at once to use the budget.",
    )


def _default_direction(facts: Facts, _: Policy) -> _Row:
    return _same(
        fact="default direction",
        assumed="desc",
        measured=facts.default_direction,
        meaning="The scan relies on it only where the API refuses sortDirection.",
    )


def _direction(facts: Facts, policy: Policy) -> _Row:
    return _same(
        fact="sort direction",
        assumed="obeyed",
        measured=facts.direction,
        meaning="The scan asks in the direction of SCAN_SORT_DIRECTION"
        f" ({policy.direction}), notices pages that come the other way, and follows them."
        if facts.direction != "unsorted"
        else "Records are not in order. The scan takes its place from the continuation alone.",
    )


def _refused(facts: Facts, _: Policy) -> _Row:
    told = facts.page_cap is not None or facts.refused
    return _same(
        fact="refused forms",
        assumed="none",
        measured=(", ".join(facts.refused) or "none") if told else None,
        meaning="The scan asks with fewer options where the API refuses them, and warns."
        if facts.refused
        else "Every form of a query that the scan uses is accepted.",
    )


def _cursor(facts: Facts, _: Policy) -> _Row:
    moved = {"asc": "date.gte", "desc": "date.lte"}
    expected = moved["desc" if facts.direction in {"always desc", "reversed"} else "asc"]
    if "sortDirection" in facts.refused:
        expected = moved[facts.default_direction or "desc"]
    return _same(
        fact="continuation",
        assumed=f"moves {expected}",
        measured=None if facts.cursor is None else f"moves {facts.cursor}",
        meaning="The scan reads its place from that bound. Without it, it halves slices until "
        "each fits on a page.",
    )


def _notation(facts: Facts, _: Policy) -> _Row:
    return _same(
        fact="numbers in the continuation",
        assumed="digits",
        measured=facts.notation,
        meaning="The scan reads digits and a decimal point. It can read no place from text, and "
        "halves slices until each fits on a page.",
    )


def _echoes(facts: Facts, policy: Policy) -> _Row:
    told: dict[str | None, str] = {
        "all": "all are repeated",
        "times": "loses other filters after the first page",
    }
    has_own = "This scan has filters of its own." if policy.filters else "This scan has none."
    return _same(
        fact="filters in the continuation",
        assumed="all are repeated",
        measured=told.get(facts.echoes),
        meaning="If a continuation drops a filter, the scan does not follow it, and halves "
        f"slices until each fits on a page. {has_own}",
    )


def _boundary(facts: Facts, _: Policy) -> _Row:
    return _same(
        fact="page boundary",
        assumed="clean",
        measured=facts.boundary,
        meaning="Activities at the cursor come on one page only."
        if facts.boundary == "clean"
        else "Activities at the cursor come on both pages; the scan stores them once.",
    )


def _black_hole(facts: Facts, _: Policy) -> _Row:
    queries = {
        "created": "by created",
        "next": "from the next millisecond on",
        "descending": "in descending order",
    }
    shown = ", ".join(queries[it] for it in facts.hole_shown_by)
    probes = {"created", "descending"} & set(facts.hole_shown_by)
    seen = f"seen; its activities are shown by {f'queries {shown}' if shown else 'no query'}"
    return _Row(
        fact="black hole",
        assumed="may occur; a query by created or in descending order shows what it hides",
        measured=seen if facts.black_hole == "seen" else facts.black_hole,
        differs=facts.black_hole == "seen" and not probes,
        meaning="The scan recognises such an answer and asks again in these ways."
        if facts.black_hole == "not seen" or probes
        else "The scan cannot reach what is hidden, and records it as in doubt.",
    )


def _created_filter(facts: Facts, policy: Policy) -> _Row:
    return _Row(
        fact="filter on created",
        assumed="honoured (SCAN_SWEEP_BY=created)"
        if policy.sweep_by == "created"
        else "not needed (SCAN_SWEEP_BY=full)",
        measured=facts.created_filter,
        differs=policy.sweep_by == "created" and facts.created_filter != "honoured",
        meaning="Sweeps may ask only for what was ingested since (SCAN_SWEEP_BY=created)."
        if facts.created_filter == "honoured"
        else "Sweeps must ask for everything again (SCAN_SWEEP_BY=full).",
    )


def _created_sort(facts: Facts, _: Policy) -> _Row:
    return _same(
        fact="sort by created",
        assumed="obeyed",
        measured=facts.created_sort,
        meaning="A millisecond with more activities than a page is read page by page by created."
        if facts.created_sort == "obeyed"
        else "A millisecond with more activities than a page is asked for as one page.",
    )


def _created_agrees(facts: Facts, policy: Policy) -> _Row:
    uses = policy.axis == "created" or policy.sweep_by == "created"
    return _Row(
        fact="created beside date",
        assumed="both show the same activities",
        measured=facts.created_agrees,
        differs=facts.created_agrees != "agrees",
        meaning="Queries by created show every activity of the window that was compared."
        if facts.created_agrees == "agrees"
        else "Queries by created lose activities: "
        + ("set SCAN_SWEEP_BY=full, and scan by date." if uses else "leave the scan by date."),
    )


def _created_scan(facts: Facts, policy: Policy) -> _Row:
    told = facts.created_cursor is not None and facts.created_scan is not None
    works = facts.created_cursor == "created" and facts.created_scan == "goes on"
    return _Row(
        fact="scan by created",
        assumed="goes on by created (SCAN_SORT_FIELD=created)"
        if policy.axis == "created"
        else "not needed (SCAN_SORT_FIELD=date)",
        measured=f"moves {facts.created_cursor}, {facts.created_scan}" if told else None,
        differs=policy.axis == "created" and not works,
        meaning="A scan could be cut by created."
        if works
        else "A scan by created cannot continue past a page.",
    )


def _empty(facts: Facts, _: Policy) -> _Row:
    return _Row(
        fact="empty answer",
        assumed="data is a list, null or missing",
        measured=None if facts.empty_data is None else f"data is {_article(facts.empty_data)}",
        differs=facts.empty_data == "object",
        meaning="The scan takes it for an empty page."
        if facts.empty_data != "object"
        else "The scan takes an answer without any member for a fault, and tries again later.",
    )


def _article(data: str) -> str:
    return {"list": "an empty list", "object": "missing, as is everything else"}.get(data, data)


def _empty_total(facts: Facts, _: Policy) -> _Row:
    return _Row(
        fact="total of an empty answer",
        assumed="zero or absent",
        measured=facts.empty_total,
        differs=facts.empty_total == "above zero",
        meaning="An empty answer that counts activities is told apart from an empty hour."
        if facts.empty_total != "above zero"
        else "Every quiet hour looks like a black hole: it costs three more requests and is in "
        "doubt.",
    )


def _total(facts: Facts, _: Policy) -> _Row:
    return _Row(
        fact="total",
        assumed="an estimate",
        measured=facts.total,
        differs=False,
        meaning="The scan never relies on it to know that a slice is complete.",
    )


def _max(facts: Facts, _: Policy) -> _Row:
    return _Row(
        fact="max in the answer",
        assumed="not needed",
        measured=facts.max,
        differs=False,
        meaning="Where it is stated, doctor knows the page cap exactly.",
    )


def _unknown_filter(facts: Facts, policy: Policy) -> _Row:
    meanings: dict[str | None, str] = {
        "ignored": "A misspelt filter in SCAN_FILTERS collects everything, without a word.",
        "refused": "A misspelt filter in SCAN_FILTERS makes the run fail with the API's words.",
        "matches nothing": "A misspelt filter in SCAN_FILTERS collects nothing, without a word.",
    }
    return _Row(
        fact="unknown filter",
        assumed="refused (SCAN_FILTERS is set)" if policy.filters else "not needed",
        measured=facts.unknown_filter,
        differs=bool(policy.filters) and facts.unknown_filter != "refused",
        meaning=meanings.get(facts.unknown_filter, ""),
    )


def _event_action_type(facts: Facts, policy: Policy) -> _Row:
    name = "activity.eventActionType"
    return _Row(
        fact=f"filter {name}",
        assumed="works" if name in policy.filters else "not needed",
        measured=facts.event_action_type,
        differs=name in policy.filters and facts.event_action_type != "works",
        meaning="The documented name works."
        if facts.event_action_type == "works"
        else "Use activity.eventType, the older name, in SCAN_FILTERS.",
    )


def _reach(facts: Facts, policy: Policy) -> _Row:
    hours, assumed = facts.reach_hours, policy.reach // HOUR_MS
    text = None
    if hours is not None:
        least = "" if facts.reach == "edge" else "at least "
        text = f"the oldest activity is {least}{hours / 24:.1f} days old"
    shorter = _is_short(facts, policy)
    return _Row(
        fact="reach",
        assumed=f"{assumed / 24:g} days (SCAN_REACH)",
        measured=text,
        differs=shorter or (hours or 0) > assumed + REACH_SLACK_HOURS,
        meaning="Either the tenant has no older activities, or the API does not reach so far: if "
        "the tenant is older than that, lower SCAN_REACH."
        if shorter
        else "The API reaches as far as the scan relies on.",
    )


def _is_short(facts: Facts, policy: Policy) -> bool:
    hours = facts.reach_hours
    short = hours is not None and hours + REACH_SLACK_HOURS < policy.reach // HOUR_MS
    return short and facts.reach == "edge"


def _lateness(facts: Facts, policy: Policy) -> _Row:
    text = None
    if facts.lateness:
        told = (f"{it.share:.0%} within {_span(it.seconds)}" for it in facts.lateness[3::2])
        text = f"{', '.join(told)} (of {facts.lateness_of:,})"
    wanted = settle(facts)
    return _Row(
        fact="lateness",
        assumed=f"most are saved within {_span(policy.settle // SECOND_MS)} (SCAN_SETTLE)",
        measured=text,
        differs=wanted is not None and wanted > policy.settle,
        meaning="What is saved after SCAN_SETTLE is found by the sweeps, hours later.",
    )


def _nulls(facts: Facts, _: Policy) -> _Row:
    return _Row(
        fact="nulls among records",
        assumed="none",
        measured=facts.nulls,
        differs=facts.nulls == "seen",
        meaning="A null stands for an activity that the API does not show; its time is in doubt.",
    )


def _unplaced(facts: Facts, _: Policy) -> _Row:
    return _Row(
        fact="records without a time",
        assumed="none",
        measured=facts.unplaced,
        differs=facts.unplaced == "seen",
        meaning="Such records are stored with the slice in which they came.",
    )


def _compressed(facts: Facts, _: Policy) -> _Row:
    return _Row(
        fact="compression",
        assumed="not needed",
        measured=facts.compressed,
        differs=False,
        meaning="Compressed answers need less of the network, and nothing else changes.",
    )


def _throttle(facts: Facts, _: Policy) -> _Row:
    return _Row(
        fact="throttle",
        assumed="Retry-After in seconds, as a date, or absent",
        measured=None if facts.retry_after is None else f"Retry-After is {facts.retry_after}",
        differs=facts.retry_after in {"zero", "other"},
        meaning="Where the header is of no use, the scan waits for a minute, and longer each time.",
    )


_JUDGES: tuple[Callable[[Facts, Policy], _Row], ...] = (
    _page_cap,
    _latency,
    _default_direction,
    _direction,
    _refused,
    _cursor,
    _notation,
    _echoes,
    _boundary,
    _black_hole,
    _created_filter,
    _created_sort,
    _created_agrees,
    _created_scan,
    _empty,
    _empty_total,
    _total,
    _max,
    _unknown_filter,
    _event_action_type,
    _reach,
    _lateness,
    _nulls,
    _unplaced,
    _compressed,
    _throttle,
)


def recommended(facts: Facts, policy: Policy) -> dict[str, str]:
    """Return settings that suit this API better than the present ones; only those that differ."""
    return dict(_settings(facts, policy))


def _settings(facts: Facts, policy: Policy) -> Iterator[tuple[str, str]]:
    limit = _limit(facts)
    if limit is not None and limit < policy.limit:
        yield "SCAN_LIMIT", str(limit)
    lanes = concurrency(facts, policy)
    if lanes is not None and lanes > policy.concurrency:
        yield "SCAN_CONCURRENCY", str(lanes)
    sweep_by = _sweep_by(facts)
    if sweep_by is not None and sweep_by != policy.sweep_by:
        yield "SCAN_SWEEP_BY", sweep_by
    if facts.direction == "always desc" and policy.direction == "asc":
        yield "SCAN_SORT_DIRECTION", "desc"
    wanted = settle(facts) or 0
    next_look = policy.sweeps[0][1] if policy.sweeps else policy.reach
    if policy.settle < wanted < next_look:
        yield "SCAN_SETTLE", f"{wanted // MINUTE_MS}m"
        if policy.fresh < wanted:
            yield "SCAN_FRESH", f"{wanted // MINUTE_MS}m"


def _limit(facts: Facts) -> int | None:
    """Return the limit to ask for, None if the present one is as good as any."""
    if facts.limit == "refused":
        return LIMIT_MIN
    if facts.page_cap is None or facts.page_cap_is != "exact":
        return None
    return min(LIMIT_MAX, max(LIMIT_MIN, facts.page_cap))


def concurrency(facts: Facts, policy: Policy) -> int | None:
    """Return how many slices at once use the whole request budget, None if it is not known."""
    took = [it for it in (facts.small_page_ms, facts.large_page_ms) if it is not None]
    if not took:
        return None
    needed = -(-max(took) * policy.requests_per_minute // MINUTE_MS)
    return min(CONCURRENCY_MOST, max(1, needed))


def _sweep_by(facts: Facts) -> str | None:
    """Return how sweeps should ask, None if it is not known."""
    if (
        facts.created_filter in {"ignored", "refused"}
        or facts.created_agrees == "misses activities"
    ):
        return "full"
    if facts.created_filter == "honoured" and facts.created_agrees == "agrees":
        return "created"
    return None


def settle(facts: Facts) -> int | None:
    """Return the age in ms at which nearly all activities had been saved, in whole minutes."""
    if facts.lateness_of < SAMPLE_LEAST:
        return None
    seconds = next(it.seconds for it in facts.lateness if it.share >= SETTLED_SHARE)
    minutes = -(-seconds * SECOND_MS // MINUTE_MS)
    return min(SETTLE_MOST_MS, max(SETTLE_LEAST_MS, minutes * MINUTE_MS))


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / SECOND_MS:.1f} s"


def _span(seconds: int) -> str:
    """Return a duration as a person says it, in one unit."""
    units = ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min"))
    milliseconds = seconds * SECOND_MS
    for length, name in units:
        if milliseconds >= 2 * length:
            return f"{milliseconds / length:.0f} {name}"
    return f"{seconds} s"

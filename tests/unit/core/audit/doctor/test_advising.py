"""Facts beside what the program assumes, and the settings that follow from them."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core.audit.doctor.advising import findings, recommended
from shared.core.audit.doctor.reports import Finding
from shared.core.audit.doctor.words import Facts, Lag
from shared.core.model import Policy
from shared.settings import read_settings
from tests.fakes import DAY, HOUR, MINUTE, policy
from tests.unit.settings.given import GOOD

USUAL = policy(concurrency=3, requests_per_minute=25)

SLOW = tuple(Lag(share=it, seconds=900) for it in (0.5, 0.75, 0.9, 0.95, 1.0))

IN_TIME = tuple(Lag(share=it, seconds=600) for it in (0.5, 0.75, 0.9, 0.95, 1.0))
"""As late as the usual settings assume."""

FULL_BUDGET = {"small_page_ms": 7_200, "small_page": 500}
"""How long pages take with which three slices use 25 requests a minute."""


def found(fact: str, how: Policy | None = None, **facts: Any) -> Finding:
    """Return the finding about one fact."""
    (finding,) = (it for it in findings(Facts(**facts), how or USUAL) if it.fact == fact)
    return finding


def test_a_fact_that_was_not_measured_could_not_be_told() -> None:
    """Each says why; nothing is taken for agreement."""
    untold = findings(Facts(), policy())

    assert {it.result for it in untold} == {"could not tell"}
    assert all(it.meaning for it in untold)
    assert len({it.fact for it in untold}) == len(untold) > 20


def test_where_there_is_more_to_say_it_is_said_why_a_fact_could_not_be_told() -> None:
    """Most facts only lack activities or answers."""
    reasons = {it.fact: it.meaning for it in findings(Facts(), policy())}
    usual = reasons["sort direction"]

    assert {fact for fact, reason in reasons.items() if reason != usual} == {
        "page cap",
        "throttle",
        "black hole",
        "filters in the continuation",
        "refused forms",
        "compression",
    }


@pytest.mark.parametrize("lacking", ["created_cursor", "created_scan"])
def test_a_scan_by_created_is_told_only_if_all_of_it_was_measured(lacking: str) -> None:
    """It takes two pages."""
    facts: dict[str, Any] = {"created_cursor": "created", "created_scan": "goes on", lacking: None}

    assert found("scan by created", **facts).result == "could not tell"


@pytest.mark.parametrize(
    ("fact", "facts"),
    [
        ("page cap", {"page_cap": 500, "page_cap_is": "exact", "limit": "capped"}),
        ("latency", {"small_page_ms": 60_000, "small_page": 500}),
        ("default direction", {"default_direction": "asc"}),
        ("sort direction", {"direction": "always desc"}),
        ("sort direction", {"direction": "unsorted"}),
        ("refused forms", {"refused": ("limit",)}),
        ("continuation", {"cursor": "date.lte", "direction": "obeyed"}),
        ("continuation", {"cursor": "date.gte", "refused": ("sortDirection",)}),
        ("numbers in the continuation", {"notation": "text"}),
        ("filters in the continuation", {"echoes": "times"}),
        ("page boundary", {"boundary": "repeated"}),
        ("black hole", {"black_hole": "seen"}),
        ("black hole", {"black_hole": "seen", "hole_shown_by": ("next",)}),
        ("sort by created", {"created_sort": "ignored"}),
        ("created beside date", {"created_agrees": "misses activities"}),
        ("empty answer", {"empty_data": "object"}),
        ("total of an empty answer", {"empty_total": "above zero"}),
        ("reach", {"reach_hours": 300, "reach": "edge"}),
        ("reach", {"reach_hours": 695, "reach": "edge"}),
        ("reach", {"reach_hours": 745, "reach": "edge"}),
        ("lateness", {"lateness": SLOW, "lateness_of": 500}),
        ("nulls among records", {"nulls": "seen"}),
        ("records without a time", {"unplaced": "seen"}),
        ("throttle", {"retry_after": "zero"}),
        ("throttle", {"retry_after": "other"}),
    ],
)
def test_what_is_not_as_assumed_differs(fact: str, facts: dict[str, Any]) -> None:
    """It says what that means."""
    finding = found(fact, **facts)

    assert (finding.result, bool(finding.meaning)) == ("differs", True)


@pytest.mark.parametrize(
    ("fact", "facts"),
    [
        ("page cap", {"page_cap": 5000, "page_cap_is": "exact", "limit": "obeyed"}),
        ("page cap", {"page_cap": 900, "page_cap_is": "at least", "limit": "obeyed"}),
        (
            "latency",
            {"small_page_ms": 500, "small_page": 500, "large_page_ms": 900, "large_page": 9},
        ),
        ("latency", FULL_BUDGET),
        ("default direction", {"default_direction": "desc"}),
        ("sort direction", {"direction": "obeyed"}),
        ("refused forms", {"page_cap": 500}),
        ("continuation", {"cursor": "date.gte", "direction": "obeyed"}),
        ("continuation", {"cursor": "date.lte", "direction": "always desc"}),
        ("continuation", {"cursor": "date.lte", "direction": "reversed"}),
        ("continuation", {"cursor": "date.lte", "refused": ("sortDirection",)}),
        (
            "continuation",
            {
                "cursor": "date.gte",
                "refused": ("sortDirection",),
                "default_direction": "asc",
            },
        ),
        ("numbers in the continuation", {"notation": "digits"}),
        ("filters in the continuation", {"echoes": "all"}),
        ("page boundary", {"boundary": "clean"}),
        ("black hole", {"black_hole": "not seen"}),
        ("black hole", {"black_hole": "seen", "hole_shown_by": ("created",)}),
        ("black hole", {"black_hole": "seen", "hole_shown_by": ("descending",)}),
        ("filter on created", {"created_filter": "refused"}),
        ("sort by created", {"created_sort": "obeyed"}),
        ("created beside date", {"created_agrees": "agrees"}),
        ("scan by created", {"created_cursor": "date", "created_scan": "goes back"}),
        ("empty answer", {"empty_data": "missing"}),
        ("total of an empty answer", {"empty_total": "zero"}),
        ("total", {"total": "estimate"}),
        ("max in the answer", {"max": "stated"}),
        ("unknown filter", {"unknown_filter": "ignored"}),
        ("filter activity.eventActionType", {"event_action_type": "ignored"}),
        ("reach", {"reach_hours": 696, "reach": "edge"}),
        ("reach", {"reach_hours": 744, "reach": "edge"}),
        ("reach", {"reach_hours": 300, "reach": "at least"}),
        ("lateness", {"lateness": SLOW, "lateness_of": 20}),
        ("lateness", {"lateness": IN_TIME, "lateness_of": 500}),
        ("nulls among records", {"nulls": "not seen"}),
        ("compression", {"compressed": "yes"}),
        ("throttle", {"retry_after": "seconds"}),
    ],
)
def test_what_is_as_assumed_agrees(fact: str, facts: dict[str, Any]) -> None:
    """Facts on which the program does not rely agree whatever they are."""
    assert found(fact, **facts).result == "as assumed"


@pytest.mark.parametrize(
    ("fact", "changes", "lacking", "given"),
    [
        (
            "filter on created",
            {"sweep_by": "created"},
            {"created_filter": "ignored"},
            {"created_filter": "honoured"},
        ),
        (
            "unknown filter",
            {"filters": {"service": {"eq": [1]}}},
            {"unknown_filter": "ignored"},
            {"unknown_filter": "refused"},
        ),
        (
            "scan by created",
            {"axis": "created"},
            {"created_cursor": "date", "created_scan": "goes on"},
            {"created_cursor": "created", "created_scan": "goes on"},
        ),
        (
            "filter activity.eventActionType",
            {"filters": {"activity.eventActionType": {"eq": ["x"]}}},
            {"event_action_type": "ignored"},
            {"event_action_type": "works"},
        ),
    ],
)
def test_what_the_settings_need_is_assumed(
    fact: str, changes: dict[str, Any], lacking: dict[str, Any], given: dict[str, Any]
) -> None:
    """An API that lacks it differs, but not for the usual settings, which do not need it."""
    assert found(fact, policy(**changes), **lacking).result == "differs"
    assert found(fact, **lacking).result == "as assumed"
    assert found(fact, policy(**changes), **given).result == "as assumed"


@pytest.mark.parametrize(
    ("fact", "facts", "meaning"),
    [
        ("page cap", {"limit": "obeyed"}, "gets as many activities"),
        ("page cap", {"limit": "capped"}, "they bring nothing"),
        ("page cap", {"limit": "ignored"}, "pages of its own size"),
        ("page cap", {"limit": "refused"}, "asks for less"),
        ("latency", {"small_page_ms": 8_000, "small_page": 500}, "4 slices at once"),
        ("sort direction", {"direction": "obeyed"}, "SCAN_SORT_DIRECTION (asc)"),
        ("sort direction", {"direction": "unsorted"}, "not in order"),
        ("refused forms", {"page_cap": 500}, "Every form"),
        ("refused forms", {"refused": ("limit",)}, "fewer options"),
        ("page boundary", {"boundary": "clean"}, "on one page only"),
        ("page boundary", {"boundary": "repeated"}, "stores them once"),
        ("black hole", {"black_hole": "not seen"}, "asks again"),
        ("black hole", {"black_hole": "seen", "hole_shown_by": ("created",)}, "asks again"),
        ("black hole", {"black_hole": "seen", "hole_shown_by": ("next",)}, "in doubt"),
        ("filter on created", {"created_filter": "honoured"}, "SCAN_SWEEP_BY=created"),
        ("filter on created", {"created_filter": "ignored"}, "SCAN_SWEEP_BY=full"),
        ("sort by created", {"created_sort": "obeyed"}, "page by page"),
        ("sort by created", {"created_sort": "refused"}, "as one page"),
        ("created beside date", {"created_agrees": "agrees"}, "show every activity"),
        ("scan by created", {"created_cursor": "created", "created_scan": "goes on"}, "could be"),
        ("scan by created", {"created_cursor": "created", "created_scan": "goes back"}, "cannot"),
        ("scan by created", {"created_cursor": "date", "created_scan": "goes on"}, "cannot"),
        ("empty answer", {"empty_data": "null"}, "an empty page"),
        ("empty answer", {"empty_data": "object"}, "a fault"),
        ("total of an empty answer", {"empty_total": "zero"}, "told apart"),
        ("total of an empty answer", {"empty_total": "above zero"}, "Every quiet hour"),
        ("unknown filter", {"unknown_filter": "ignored"}, "collects everything"),
        ("unknown filter", {"unknown_filter": "refused"}, "makes the run fail"),
        ("unknown filter", {"unknown_filter": "matches nothing"}, "collects nothing"),
        ("filter activity.eventActionType", {"event_action_type": "works"}, "name works"),
        ("filter activity.eventActionType", {"event_action_type": "ignored"}, "the older name"),
        ("reach", {"reach_hours": 300, "reach": "edge"}, "lower SCAN_REACH"),
        ("reach", {"reach_hours": 720, "reach": "edge"}, "as far as the scan relies on"),
    ],
)
def test_a_fact_is_told_with_what_it_means_for_the_scan(
    fact: str, facts: dict[str, Any], meaning: str
) -> None:
    """Whether it is as assumed or not."""
    assert meaning in found(fact, **{"page_cap": 500, **facts}).meaning


@pytest.mark.parametrize(
    ("filters", "has_own"),
    [({"service": {"eq": [1]}}, "has filters of its own."), ({}, "has none.")],
)
def test_it_is_told_whether_the_scan_has_filters_that_a_continuation_may_lose(
    filters: dict[str, Any], has_own: str
) -> None:
    """Without any, nothing follows from it."""
    meaning = found("filters in the continuation", policy(filters=filters), echoes="times").meaning

    assert meaning.endswith(f"This scan {has_own}")


@pytest.mark.parametrize(
    ("fact", "facts", "measured"),
    [
        ("latency", {"small_page_ms": 500, "small_page": 1_500}, "0.5 s for 1,500 records"),
        ("latency", {"large_page_ms": 900, "large_page": 9}, "0.9 s for 9 records"),
        (
            "latency",
            {"small_page_ms": 500, "small_page": 5, "large_page_ms": 900, "large_page": 9},
            "0.5 s for 5 records, 0.9 s for 9 records",
        ),
        ("refused forms", {"page_cap": 500}, "none"),
        ("refused forms", {"refused": ("limit", "desc")}, "limit, desc"),
        ("continuation", {"cursor": "date.gte"}, "moves date.gte"),
        ("filters in the continuation", {"echoes": "all"}, "all are repeated"),
        ("black hole", {"black_hole": "not seen"}, "not seen"),
        ("black hole", {"black_hole": "seen"}, "seen; its activities are shown by no query"),
        (
            "black hole",
            {"black_hole": "seen", "hole_shown_by": ("next",)},
            "seen; its activities are shown by queries from the next millisecond on",
        ),
        (
            "black hole",
            {"black_hole": "seen", "hole_shown_by": ("created", "descending")},
            "seen; its activities are shown by queries by created, in descending order",
        ),
        (
            "scan by created",
            {"created_cursor": "created", "created_scan": "goes back"},
            "moves created, goes back",
        ),
        ("empty answer", {"empty_data": "list"}, "data is an empty list"),
        ("empty answer", {"empty_data": "null"}, "data is null"),
        ("empty answer", {"empty_data": "object"}, "data is missing, as is everything else"),
        ("reach", {"reach_hours": 36, "reach": "edge"}, "the oldest activity is 1.5 days old"),
        (
            "reach",
            {"reach_hours": 36, "reach": "at least"},
            "the oldest activity is at least 1.5 days old",
        ),
        ("throttle", {"retry_after": "zero"}, "Retry-After is zero"),
    ],
)
def test_a_fact_is_told_in_words(fact: str, facts: dict[str, Any], measured: str) -> None:
    """As it was measured."""
    assert found(fact, **facts).measured == measured


@pytest.mark.parametrize(
    ("fact", "changes", "assumed"),
    [
        ("filter on created", {"sweep_by": "created"}, "honoured (SCAN_SWEEP_BY=created)"),
        ("filter on created", {"sweep_by": "full"}, "not needed (SCAN_SWEEP_BY=full)"),
        (
            "scan by created",
            {"axis": "created"},
            "goes on by created (SCAN_SORT_FIELD=created)",
        ),
        ("scan by created", {"axis": "date"}, "not needed (SCAN_SORT_FIELD=date)"),
        ("page cap", {}, "up to 5,000 records (SCAN_LIMIT)"),
        (
            "unknown filter",
            {"filters": {"service": {"eq": [1]}}},
            "refused (SCAN_FILTERS is set)",
        ),
        ("unknown filter", {}, "not needed"),
        (
            "filter activity.eventActionType",
            {"filters": {"activity.eventActionType": {"eq": ["x"]}}},
            "works",
        ),
        ("filter activity.eventActionType", {}, "not needed"),
    ],
)
def test_what_is_assumed_is_told_with_its_setting(
    fact: str, changes: dict[str, Any], assumed: str
) -> None:
    """So that whoever reads it knows what to change."""
    assert found(fact, policy(**changes)).assumed == assumed


@pytest.mark.parametrize(
    ("is_exact", "told"),
    [
        ("exact", "about 1,500 records; a limit of 5,000 is capped"),
        ("at least", "at least 1,500 records; a limit of 5,000 is capped"),
    ],
)
def test_the_page_cap_is_told_with_what_became_of_a_larger_limit(is_exact: str, told: str) -> None:
    """Both must have been measured."""
    facts: dict[str, Any] = {"page_cap": 1_500, "page_cap_is": is_exact}

    assert found("page cap", **facts, limit="capped").measured == told
    assert found("page cap", **facts).result == "could not tell"
    assert found("page cap", limit="capped").result == "could not tell"


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"axis": "created", "sweep_by": "full"}, "set SCAN_SWEEP_BY=full, and scan by date."),
        ({"axis": "date", "sweep_by": "created"}, "set SCAN_SWEEP_BY=full, and scan by date."),
        ({"axis": "date", "sweep_by": "full"}, "leave the scan by date."),
    ],
)
def test_a_scan_that_would_lose_activities_by_created_is_told_what_to_set(
    changes: dict[str, Any], advice: str
) -> None:
    """One that does not use it only stays as it is."""
    finding = found("created beside date", policy(**changes), created_agrees="misses activities")

    assert finding.meaning == f"Queries by created lose activities: {advice}"


def test_spans_are_told_as_a_person_says_them() -> None:
    """Seconds up to two minutes, then minutes, hours and days."""
    lags = tuple(
        Lag(share=share, seconds=seconds)
        for share, seconds in zip(
            (0.0, 0.1, 0.2, 0.5, 0.6, 0.9, 0.95, 0.99, 1.0),
            (1, 1, 1, 90, 90, 5_400, 9_000, 90_000, 260_000),
            strict=True,
        )
    )

    measured = found("lateness", lateness=lags, lateness_of=500).measured

    assert measured == "50% within 90 s, 90% within 90 min, 99% within 25 h (of 500)"
    assert "within 2 d (" in found("lateness", policy(settle=2 * DAY, fresh=3 * DAY)).assumed


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, {}),
        ({"page_cap": 500, "page_cap_is": "exact", "limit": "capped"}, {"SCAN_LIMIT": "500"}),
        ({"page_cap": 100, "page_cap_is": "exact", "limit": "capped"}, {"SCAN_LIMIT": "500"}),
        ({"page_cap": 2000, "page_cap_is": "exact", "limit": "capped"}, {"SCAN_LIMIT": "2000"}),
        ({"page_cap": 450, "page_cap_is": "at least"}, {}),
        ({"page_cap": 800, "page_cap_is": "at least", "limit": "refused"}, {"SCAN_LIMIT": "500"}),
        ({"page_cap": 5000, "page_cap_is": "exact", "limit": "obeyed"}, {}),
        ({"small_page_ms": 9_000, "large_page_ms": 20_000}, {"SCAN_CONCURRENCY": "9"}),
        ({"small_page_ms": 900_000}, {"SCAN_CONCURRENCY": "16"}),
        ({"large_page_ms": 9_600}, {"SCAN_CONCURRENCY": "4"}),
        (FULL_BUDGET, {}),
        ({"small_page_ms": 0}, {}),
        (
            {"created_filter": "honoured", "created_agrees": "agrees"},
            {"SCAN_SWEEP_BY": "created"},
        ),
        ({"created_filter": "honoured", "created_agrees": "misses activities"}, {}),
        ({"created_filter": "honoured"}, {}),
        ({"direction": "always desc"}, {"SCAN_SORT_DIRECTION": "desc"}),
        ({"lateness": SLOW, "lateness_of": 500}, {"SCAN_SETTLE": "15m"}),
        ({"lateness": SLOW, "lateness_of": 100}, {"SCAN_SETTLE": "15m"}),
        ({"lateness": SLOW, "lateness_of": 99}, {}),
        ({"lateness": IN_TIME, "lateness_of": 500}, {}),
    ],
)
def test_settings_follow_from_facts(facts: dict[str, Any], expected: dict[str, str]) -> None:
    """Only those that differ from the present ones are recommended."""
    how = policy(concurrency=3, requests_per_minute=25)

    assert recommended(Facts(**facts), how) == expected


@pytest.mark.parametrize(
    "facts",
    [
        {"created_filter": "ignored"},
        {"created_filter": "refused"},
        {"created_filter": "honoured", "created_agrees": "misses activities"},
    ],
)
def test_sweeps_that_cannot_rely_on_created_are_to_be_full(facts: dict[str, Any]) -> None:
    """They would miss what arrives late."""
    how = policy(sweep_by="created", concurrency=3)

    assert recommended(Facts(**facts), how) == {"SCAN_SWEEP_BY": "full"}


def test_a_filter_on_created_is_not_recommended_before_it_was_tried() -> None:
    """That queries by created show everything does not tell what the filter does."""
    assert recommended(Facts(created_agrees="agrees"), USUAL) == {}


def test_a_scan_that_asks_in_descending_order_already_stays_as_it_is() -> None:
    """Only one that asks in the other order is to change."""
    how = policy(direction="desc", concurrency=3)

    assert recommended(Facts(direction="always desc"), how) == {}


def test_a_limit_that_is_as_large_as_the_page_cap_stays_as_it_is() -> None:
    """A larger one brings nothing, and a smaller one costs requests."""
    facts = Facts(page_cap=1_000, page_cap_is="exact", limit="capped")

    assert recommended(facts, policy(limit=1_000, concurrency=3)) == {}
    assert recommended(facts, policy(limit=500, concurrency=3)) == {}


def test_fresh_time_is_never_younger_than_settled_time() -> None:
    """Both settings are recommended together."""
    facts = Facts(lateness=SLOW, lateness_of=500)

    assert recommended(facts, policy(settle=MINUTE, fresh=5 * MINUTE, concurrency=3)) == {
        "SCAN_SETTLE": "15m",
        "SCAN_FRESH": "15m",
    }


def test_fresh_time_may_be_as_young_as_settled_time() -> None:
    """Only what is younger is recommended to change."""
    facts = Facts(lateness=SLOW, lateness_of=500)

    assert recommended(facts, policy(settle=MINUTE, fresh=15 * MINUTE, concurrency=3)) == {
        "SCAN_SETTLE": "15m"
    }


def test_settled_time_is_at_least_five_minutes_old() -> None:
    """Even if everything was saved at once this time."""
    prompt = Facts(lateness=(Lag(share=1.0, seconds=1),), lateness_of=500)

    assert recommended(prompt, policy(settle=MINUTE, concurrency=3)) == {"SCAN_SETTLE": "5m"}


def test_time_is_settled_when_95_per_cent_of_its_activities_have_been_saved() -> None:
    """In whole minutes."""
    lags = tuple(
        Lag(share=share, seconds=seconds)
        for share, seconds in ((0.5, 600), (0.9, 840), (0.95, 1_141), (0.99, 2_000), (1.0, 3_000))
    )

    assert recommended(Facts(lateness=lags, lateness_of=500), USUAL) == {"SCAN_SETTLE": "20m"}


def test_settled_time_is_always_younger_than_the_first_sweep() -> None:
    """Where that leaves no room, the present setting stays."""
    facts = Facts(lateness=SLOW, lateness_of=500)

    assert recommended(facts, policy(sweeps=(("sweep-15m", 15 * MINUTE),), concurrency=3)) == {}
    assert recommended(facts, policy(sweeps=(), concurrency=3)) == {"SCAN_SETTLE": "15m"}


measurements = st.builds(
    Facts,
    page_cap=st.none() | st.integers(0, 20_000),
    page_cap_is=st.sampled_from(["exact", "at least", None]),
    limit=st.sampled_from(["obeyed", "capped", "ignored", "refused", None]),
    small_page_ms=st.none() | st.integers(0, 200_000),
    large_page_ms=st.none() | st.integers(0, 200_000),
    direction=st.sampled_from(["obeyed", "always desc", "reversed", "unsorted", None]),
    created_filter=st.sampled_from(["honoured", "ignored", "refused", None]),
    created_agrees=st.sampled_from(["agrees", "misses activities", None]),
    lateness=st.lists(st.integers(0, 400_000), min_size=9, max_size=9).map(
        lambda seconds: tuple(
            Lag(share=share, seconds=it)
            for share, it in zip(
                (0.0, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0), sorted(seconds), strict=True
            )
        )
    ),
    lateness_of=st.integers(0, 5000),
)
given_settings = st.fixed_dictionaries(
    {},
    optional={
        "SCAN_SETTLE": st.sampled_from(["1m", "10m", "1h"]),
        "SCAN_FRESH": st.sampled_from(["1h", "2h"]),
        "SCAN_SWEEPS": st.sampled_from(["none", "90m", "2h,24h", "8d"]),
        "SCAN_SWEEP_BY": st.sampled_from(["full", "created"]),
        "SCAN_LIMIT": st.sampled_from(["500", "1000", "5000"]),
        "SCAN_CONCURRENCY": st.sampled_from(["1", "8", "16"]),
        "SCAN_SORT_DIRECTION": st.sampled_from(["asc", "desc"]),
        "SCAN_REQUESTS_PER_MINUTE": st.sampled_from(["1", "25", "1000"]),
    },
)


@settings(max_examples=150, deadline=None)
@given(measurements, given_settings)
def test_what_is_recommended_is_accepted(facts: Facts, environ: dict[str, str]) -> None:
    """The reader that the program starts with accepts it, and it leaves nothing to recommend."""
    before = {**GOOD, **environ}
    (how,) = (it.policy for it in read_settings(before).scans)

    (after,) = (it.policy for it in read_settings({**before, **recommended(facts, how)}).scans)

    assert recommended(facts, after) == {}
    assert replace(after, settle=HOUR).scan == how.scan
    assert msgspec.json.decode(msgspec.json.encode(facts), type=Facts) == facts

"""Phases: switches that differ for some requests."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from simulator import Phase, Switches
from simulator.phases import in_effect
from tests.simulator.client import NOW, T0, Client, serving, times

SECONDS = [T0 + 1000 * second for second in range(10)]
CHANGES = {"tail_drop": "none"}


def shown(client: Client, phases: list[Phase], requests: int) -> list[int]:
    """Return how many records each of several equal requests gets under a script of phases."""
    client.api.phases = tuple(phases)
    return [len(client.page()["data"]) for _ in range(requests)]


def test_switches_differ_from_one_request_to_another() -> None:
    """Both ends are inclusive, and requests outside see the usual switches."""
    with serving(SECONDS, page_cap=4) as client:
        found = shown(client, [Phase(switches=CHANGES, first=2, last=3)], 4)

    assert found == [3, 4, 4, 3]


def test_a_phase_without_an_end_lasts() -> None:
    """It lasts from its first request on."""
    with serving(SECONDS, page_cap=4) as client:
        found = shown(client, [Phase(switches=CHANGES, first=3)], 5)

    assert found == [3, 3, 4, 4, 4]


def test_the_last_of_several_phases_wins_switch_by_switch() -> None:
    """Switches that it does not mention keep an earlier phase's value."""
    phases = [Phase(switches={"page_cap": 3, "pretty": True}), Phase(switches={"page_cap": 7})]

    both = in_effect(Switches(), phases, 1)

    assert (both.page_cap, both.pretty) == (7, True)


def test_a_phase_can_be_random() -> None:
    """The seed decides, so a run can be repeated."""
    phases = [Phase(switches=CHANGES, probability=0.5, seed=seed) for seed in (1, 1, 2)]

    first, again, other = [[it.concerns(number) for number in range(1, 101)] for it in phases]

    assert 30 < sum(first) < 70
    assert first == again
    assert first != other


def test_a_black_hole_can_open_in_mid_scan() -> None:
    """The second page's cursor finds nothing, and the same query finds the rest later."""
    with serving(SECONDS, page_cap=4) as client:
        client.api.phases = (Phase(switches={"black_holes": frozenset({SECONDS[3]})}, last=2),)
        continuation = client.page()["nextQueryFilters"]
        hole, healed = client.page(continuation), client.page(continuation)

    assert (hole["data"], hole["hasNext"], hole["total"]) == ([], False, 7)
    assert times(healed) == SECONDS[3:6]


def test_the_servers_clock_can_step_for_some_requests() -> None:
    """Its `Date` shows the step."""
    with serving(SECONDS) as client:
        client.api.phases = (Phase(switches={"skew_ms": 7_200_000}, first=2, last=2),)
        dates = [parsedate_to_datetime(client.get().headers["Date"]) for _ in range(3)]

    assert [round(it.timestamp() * 1000) - NOW for it in dates] == [0, 7_200_000, 0]


def test_a_throttle_can_tighten_for_a_while() -> None:
    """The rest of the tenant leaves a changing share."""
    with serving(SECONDS) as client:
        client.api.phases = (Phase(switches={"throttle_per_minute": 0}, first=2, last=3),)
        statuses = [client.get().status_code for _ in range(4)]

    assert statuses == [200, 429, 429, 200]


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        ("dense=empty:3", Phase(switches={"dense": "empty"}, first=3, last=3)),
        ("dense=empty:3-5", Phase(switches={"dense": "empty"}, first=3, last=5)),
        ("dense=empty:3-", Phase(switches={"dense": "empty"}, first=3)),
        ("dense=empty", Phase(switches={"dense": "empty"})),
        ("black-holes=5,7:2", Phase(switches={"black_holes": frozenset({5, 7})}, first=2, last=2)),
        (
            "page_cap=7:1-9:probability=0.5:seed=3",
            Phase(switches={"page_cap": 7}, first=1, last=9, probability=0.5, seed=3),
        ),
    ],
)
def test_a_phase_can_be_written_as_text(text: str, phase: Phase) -> None:
    """The command line uses this form."""
    assert Phase.parse(text) == phase


@pytest.mark.parametrize(
    "text",
    ["", "invented=1:1", "dense=odd:1", "dense=empty:0", "dense=empty:5-3", "dense=empty:1:x=2"],
)
def test_an_invalid_phase_is_refused(text: str) -> None:
    """The error shows the expected form."""
    with pytest.raises(ValueError, match="is not NAME=VALUE"):
        Phase.parse(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"switches": {}},
        {"switches": {"invented": 1}},
        {"switches": {"dense": "odd"}},
        {"switches": CHANGES, "first": 0},
        {"switches": CHANGES, "first": 3, "last": 2},
        {"switches": CHANGES, "probability": 1.5},
    ],
    ids=repr,
)
def test_an_empty_phase_is_refused(wrong: dict[str, Any]) -> None:
    """A misspelt phase must not be without effect."""
    with pytest.raises(ValueError, match=r"phase|Switch"):
        Phase(**wrong)

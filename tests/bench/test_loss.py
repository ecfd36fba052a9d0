"""The comparison of collectors shows every loss, and is reproducible."""

from dataclasses import replace
from functools import cache

import pytest

from bench import loss
from bench.collectors import Collector
from bench.loss import DOCUMENT, Extent, Scenario, Score
from bench.machine import Line, Machine
from bench.tables import replaced
from simulator import Lateness, Tenant

SMALL = Extent(days=1, per_second=0.03)

BRIEF = Extent(days=0.2, per_second=0.06, after_days=1)
"""This is enough for this scan, whose runs take longer, as nothing is shown days late."""

UNTIL_SWEPT = replace(BRIEF, after_days=9)
"""What is shown days late is found by the last sweep."""

HOURS = replace(BRIEF, days=0.1, after_days=0.2)

OTHERS = ["documented sample", "`date.lte` loop", "`last + 1` loop"]


def scenario_of(word: str) -> Scenario:
    """Return the scenario whose name begins like this."""
    (found,) = [it for it in loss.scenarios(SMALL.seed) if it.name.startswith(word)]
    return found


@cache
def scored(word: str, name: str) -> Score:
    """Return a collector's score in a small scenario."""
    scenario = scenario_of(word)
    extent = SMALL
    if name == "this scan":
        extent = UNTIL_SWEPT if scenario.lateness.late_share else BRIEF
    return loss.score(scenario, extent, tenant_of(scenario, extent), loss.makers()[name])


def tenant_of(scenario: Scenario, extent: Extent) -> Tenant:
    """Return the tenant of a scenario; many scenarios have the same one."""
    return made(scenario.lateness, scenario.bursts, extent)


@cache
def made(lateness: Lateness, bursts: int, extent: Extent) -> Tenant:
    """Make a tenant."""
    return loss.tenant_of(Scenario(name="", lateness=lateness, bursts=bursts), extent)


@pytest.mark.parametrize("word", [it.name.partition(":")[0] for it in loss.scenarios(0)])
def test_this_scan_loses_nothing_and_stores_nothing_twice(word: str) -> None:
    """Whatever is wrong, it loses only what it declares."""
    found = scored(word, "this scan")

    assert (found.lost, found.twice) == (0, 0)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("word", ["usual lag", "late arrivals", "dense", "all of it"])
def test_the_other_collectors_lose_activities(word: str, name: str) -> None:
    """The API shows some late, or has more in a millisecond than on a page."""
    assert scored(word, name).lost > 0


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("boundary", "documented sample"),
        ("black hole", "documented sample"),
        ("throttle", "documented sample"),
        ("errors", "documented sample"),
        ("errors", "`date.lte` loop"),
    ],
)
def test_an_answer_without_data_is_taken_for_the_end(word: str, name: str) -> None:
    """The loop loses what it did not reach."""
    assert scored(word, name).lost > 0


@pytest.mark.parametrize("name", ["`date.lte` loop", "`last + 1` loop"])
def test_a_run_that_dies_after_writing_writes_again(name: str) -> None:
    """It would have saved its state at the end."""
    assert scored("crashes", name).twice > 0


def test_what_a_run_held_when_it_died_is_never_collected() -> None:
    """Its records were in memory, and the next run asks only for its own day."""
    extent = replace(SMALL, days=2, after_days=1)
    scenario = scenario_of("crashes")
    tenant = tenant_of(scenario, extent)

    found = loss.score(scenario, extent, tenant, loss.makers()["documented sample"])

    assert found.lost > 0


def test_the_scan_meets_the_black_hole() -> None:
    """Its row would mean nothing if no query of the scan began on one."""
    scenario = scenario_of("boundary")
    extent = replace(BRIEF, days=0.5)
    tenant = tenant_of(scenario, extent)
    calm = replace(scenario, switches=replace(scenario.switches, black_hole_share=0.0))

    asked = [questions(it, tenant, extent) for it in (calm, scenario)]

    assert asked[0] < asked[1]


def questions(scenario: Scenario, tenant: Tenant, extent: Extent = BRIEF) -> int:
    """Return how many requests the scan sends in a scenario."""
    lines: list[Line] = []

    def make(line: Line, machine: Machine) -> Collector:
        lines.append(line)
        return loss.makers()["this scan"](line, machine)

    loss.score(scenario, extent, tenant, make)
    return lines[0].requests


def test_without_lag_and_faults_the_loops_lose_nothing() -> None:
    """The comparison credits them with what they can do."""
    assert [scored("calm", name).lost for name in OTHERS] == [0, 0, 0]


def test_a_seed_decides_everything() -> None:
    """This makes the table reproducible."""
    scenario = replace(scenario_of("all of it"), bursts=1)

    tenants = [loss.tenant_of(scenario, extent) for extent in (HOURS, HOURS)]
    first, again = [
        loss.score(scenario, HOURS, tenant, loss.makers()["`last + 1` loop"]) for tenant in tenants
    ]

    assert first == again
    assert questions(scenario, tenants[0], HOURS) == questions(scenario, tenants[1], HOURS)


def test_the_table_replaces_the_one_in_the_document() -> None:
    """Only the text between the markers changes."""
    old = f"before\n{loss.OPENING}\n\nold\n\n{loss.CLOSING}\nafter\n"

    assert replaced(old, loss.OPENING, loss.CLOSING, "new\n") == (
        f"before\n{loss.OPENING}\n\nnew\n\n{loss.CLOSING}\nafter\n"
    )


@pytest.mark.parametrize("text", ["", loss.OPENING, loss.CLOSING])
def test_a_document_without_its_markers_is_refused(text: str) -> None:
    """Otherwise the text around them would be lost."""
    with pytest.raises(ValueError, match="lacks the marker"):
        replaced(text, loss.OPENING, loss.CLOSING, "new\n")


def test_the_document_holds_a_row_for_every_scenario() -> None:
    """The table was made from the present scenarios."""
    text = DOCUMENT.read_text(encoding="utf-8")

    assert [it.name for it in loss.scenarios(0) if f"\n| {it.name} | " not in text] == []
    assert all(f" {name} |" in text for name in loss.makers())

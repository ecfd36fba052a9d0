"""A list of scans beside the one in use: what changes, what is refused, and which containers."""

import json
from typing import Any

import pytest

from shared.core.errors import SettingsError
from shared.operate.comparing import (
    Change,
    Comparison,
    Entry,
    changes,
    containers_of,
    elements_of,
    lines_of,
    read_containers,
    refusals,
)
from shared.settings import LIST, Settings, read_settings
from tests.unit.settings.given import GOOD

OWN = {"data_container": "a-parts", "manifest_container": "a-chain", "state_container": "a-state"}


def settings(*elements: dict[str, Any]) -> Settings:
    """Return the settings with this list."""
    return read_settings({**GOOD, LIST: json.dumps(elements)})


def refused(before: dict[str, Any], after: dict[str, Any], *, data: bool = True) -> list[str]:
    """Return why a change of one scan is refused."""
    old, new = settings({"name": "a", **before}), settings({"name": "a", **after})
    return list(refusals(old, new, lambda _: data))


def test_each_changed_key_is_named_with_both_values() -> None:
    """A key that only one list has is a change, too."""
    before: dict[str, Entry] = {
        "a": {"name": "a", "limit": 500, "auth": "federated"},
        "gone": {"name": "gone"},
    }
    after: dict[str, Entry] = {
        "a": {"name": "a", "limit": 600, "lookback": "2d"},
        "new": {"name": "new"},
    }

    assert list(changes(before, after)) == [
        Change(scan="a", key="auth", before="federated", after=None),
        Change(scan="a", key="limit", before=500, after=600),
        Change(scan="a", key="lookback", before=None, after="2d"),
    ]


def test_without_a_list_the_settings_are_one_element() -> None:
    """An app with one scan may be given a list."""
    assert elements_of({**GOOD, "SCAN_NAME": "alone"}) == {"alone": {}}
    assert elements_of({"SCANS": '[{"NAME": "b", "limit": 500}]'}) == {
        "b": {"name": "b", "limit": 500}
    }


@pytest.mark.parametrize("key", OWN)
def test_another_container_is_refused_for_a_scan_that_has_data(key: str) -> None:
    """The scan would begin again without what it has stored."""
    (said,) = refused({}, {key: OWN[key]})

    assert said.startswith("a: its ")
    assert f"would not be found in {OWN[key]}: keep the container" in said
    assert refused({}, {key: OWN[key]}, data=False) == []


def test_other_filters_are_refused_unless_they_are_accepted() -> None:
    """As the next run would refuse them."""
    other = {"filters": {"service": {"eq": [1]}}}

    (said,) = refused({}, other)

    accepted = json.loads(said.rpartition('"accept_filters": ')[2])
    assert refused({}, {**other, "accept_filters": accepted}) == []


def test_another_sort_field_is_refused() -> None:
    """Coverage by one time says nothing about the other."""
    assert "cannot change" in refused({}, {"sort_field": "created"})[0]


def test_what_harms_nothing_is_not_refused() -> None:
    """Most changes take effect with the next run."""
    assert refused({"limit": 500}, {"limit": 600, "sweeps": "2h"}) == []


def test_the_parameter_names_each_scan_and_its_own_containers() -> None:
    """A scan in the app's containers still has run logs that expire."""
    found = containers_of(settings({"name": "a", **OWN}, {"name": "b"}), [])

    assert found == (
        {
            "name": "a",
            "dataContainer": "a-parts",
            "manifestContainer": "a-chain",
            "stateContainer": "a-state",
        },
        {"name": "b"},
    )


def test_readers_and_removed_scans_stay_in_the_parameter() -> None:
    """Otherwise a removed scan's activities would never expire."""
    reader = {"principalId": "p", "principalType": "Group"}
    deployed: list[Entry] = [
        {"name": "gone", "dataContainer": "gone-parts"},
        {"name": "a", "dataContainer": "old", "readers": [reader]},
    ]

    found = containers_of(settings({"name": "a"}), deployed)

    assert found == ({"name": "a", "readers": [reader]}, deployed[0])


@pytest.mark.parametrize("text", ["[", "{}", "[1]", '[{"dataContainer": "a"}]', '[{"name": 1}]'])
def test_a_parameter_that_is_none_is_refused(text: str) -> None:
    """It may be another file."""
    with pytest.raises(SettingsError, match="--containers"):
        read_containers(text)


def test_a_comparison_is_one_line_for_each_thing() -> None:
    """What needs somebody comes after what changes."""
    found = Comparison(
        added=("a",),
        removed=("b",),
        changed=(Change(scan="c", key="limit", before=None, after=500),),
        refused=("d: why",),
        missing=("e", "f"),
        containers=(),
        replaces_scans=True,
    )

    assert list(lines_of(found)) == [
        "+ a: new",
        "- b: removed; what it has stored stays, and can be verified",
        "~ c: limit: the app's -> 500",
        "! refused: d: why",
        "to create before the list is uploaded (scanContainers): e, f",
        "SCANS is set: remove it (`scans` of the deployment) when you upload the list",
    ]


def test_a_list_that_changes_nothing_says_so() -> None:
    """Silence could be a failure."""
    nothing = Comparison(added=(), removed=(), changed=(), refused=(), missing=(), containers=())

    assert list(lines_of(nothing)) == ["nothing changes"]

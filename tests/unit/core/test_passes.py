"""The names of passes: what a name says must not depend on what is configured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.model import Slice
from shared.core.passes import is_partial, look_name, sweep_age, sweep_name
from shared.core.slices.opening import open_slice
from shared.core.state.layout import part_name
from tests.fakes import DAY, HOUR, MINUTE, NOW, policy


@given(st.integers(1, 3650 * DAY))
def test_the_age_of_a_sweep_can_be_read_from_its_name(age: int) -> None:
    """Coverage outlives the settings that it was made under."""
    assert sweep_age(sweep_name(age)) == age


@pytest.mark.parametrize(
    ("age", "name"),
    [
        (90 * MINUTE, "sweep-90m"),
        (DAY, "sweep-24h"),
        (2 * DAY, "sweep-48h"),
        (3 * DAY, "sweep-3d"),
        (1, "sweep-1ms"),
    ],
)
def test_a_sweep_is_named_after_its_age(age: int, name: str) -> None:
    """In the largest unit that divides it; days only beyond two."""
    assert sweep_name(age) == name


@pytest.mark.parametrize("name", ["first", "rescan-7", "sweep-", "sweep-5x", "sweep-2h-other"])
def test_a_pass_that_is_not_a_sweep_has_no_age(name: str) -> None:
    """So its coverage never counts as a sweep's."""
    assert sweep_age(name) is None


def piece_of(since: int | None) -> Slice:
    """Return a sweep's slice, whole or partial."""
    piece = open_slice((NOW - HOUR, NOW), pass_name="sweep-24h", policy=policy())
    return Slice(
        start=piece.start,
        end=piece.end,
        pass_name=piece.pass_name,
        direction=piece.direction,
        limit=piece.limit,
        cursor=piece.cursor,
        since=since,
    )


def test_a_partial_look_is_kept_under_a_name_of_its_own() -> None:
    """With the age of its pass."""
    name = look_name(piece_of(since=NOW))

    assert (name, is_partial(name), sweep_age(name)) == ("sweep-24h-since", True, DAY)
    assert not is_partial(look_name(piece_of(since=None)))


def test_a_partial_and_a_whole_look_over_the_same_time_write_different_parts() -> None:
    """Parts are written once, and the whole look may come after the partial one."""
    assert part_name("all", piece_of(since=NOW)) != part_name("all", piece_of(since=None))

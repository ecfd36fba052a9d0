"""The API's two axes, and its two directions."""

import pytest

from shared.core.model import Axis, Direction, other_field, reverse


@pytest.mark.parametrize(("axis", "other"), [("date", "created"), ("created", "date")])
def test_each_axis_has_the_other_time_field(axis: Axis, other: Axis) -> None:
    """A dense millisecond of one is paged on the other."""
    assert other_field(axis) == other


@pytest.mark.parametrize(("direction", "other"), [("asc", "desc"), ("desc", "asc")])
def test_each_direction_has_its_reverse(direction: Direction, other: Direction) -> None:
    """A slice may be read from its other end."""
    assert reverse(direction) == other

"""The scales of time: the API's two axes, their directions, and durations in milliseconds."""

from typing import Literal

Axis = Literal["date", "created"]
"""The API's `sortField`: `date` is event time, `created` is ingestion time."""


Direction = Literal["asc", "desc"]


def other_field(axis: Axis) -> Axis:
    """Return the time field that the axis is not."""
    return "created" if axis == "date" else "date"


def reverse(direction: Direction) -> Direction:
    """Return the other direction."""
    return "desc" if direction == "asc" else "asc"


Span = tuple[int, int]
"""Smallest and largest value, both inclusive."""


SECOND_MS = 1_000


MINUTE_MS = 60_000


HOUR_MS = 3_600_000


DAY_MS = 86_400_000

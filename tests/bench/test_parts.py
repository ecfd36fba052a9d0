"""The numbers of parts in docs/reading.md are the program's."""

import pytest

from bench import parts


def rows(rate: int) -> list[str]:
    """Return the rows of the document's table for so many activities a day."""
    text = parts.DOCUMENT.read_text("utf-8")
    table = text.partition(parts.OPENING)[2].partition(parts.CLOSING)[0]
    return [line for line in table.splitlines() if line.startswith(f"| {rate:,} |")]


@pytest.mark.parametrize("rate", parts.RATES[:1])
def test_the_parts_are_those_of_the_program(rate: int) -> None:
    """They are counted again; `make bench-parts` counts the larger tenants in minutes."""
    counts = {(rate, minutes): parts.counted(rate, minutes) for minutes in parts.SLICES}

    assert all(row in parts.table(counts) for row in rows(rate))
    assert len(rows(rate)) == len(parts.SLICES)


def test_longer_slices_make_fewer_and_larger_parts() -> None:
    """Together they hold all activities of the hour."""
    short, long = parts.counted(10_000, 5), parts.counted(10_000, 60)

    assert (len(short), len(long)) == (12, 1)
    assert sum(it for it, _ in short) == sum(it for it, _ in long)

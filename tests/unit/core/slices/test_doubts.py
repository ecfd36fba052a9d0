"""Stretches in doubt are joined, and limited in number without losing any."""

from hypothesis import given
from hypothesis import strategies as st

from shared.core.intervals import holds, merge
from shared.core.model import Doubt
from shared.core.slices.doubts import few, joined


def doubt(start: int, end: int, reason: str = "x") -> Doubt:
    """Return a stretch in doubt."""
    return Doubt(start=start, end=end, reason=reason)


def test_stretches_that_touch_for_one_reason_are_joined() -> None:
    """The result is sorted by start."""
    assert joined([doubt(5, 7), doubt(9, 12), doubt(1, 5), doubt(10, 11)]) == (
        doubt(1, 7),
        doubt(9, 12),
    )


def test_stretches_with_different_reasons_stay_apart() -> None:
    """They may even overlap."""
    assert joined([doubt(1, 5, "y"), doubt(1, 5, "x")]) == (doubt(1, 5, "x"), doubt(1, 5, "y"))


def test_few_enough_stretches_are_only_joined() -> None:
    """Nothing is in doubt that was not before."""
    assert few([doubt(1, 2), doubt(2, 3), doubt(8, 9)], 2) == (doubt(1, 3), doubt(8, 9))


def test_too_many_stretches_are_bridged_where_the_gap_is_smallest() -> None:
    """So as little time as possible is put in doubt besides."""
    scattered = [doubt(0, 10), doubt(11, 20), doubt(50, 60), doubt(90, 95)]

    assert few(scattered, 3) == (doubt(0, 20), doubt(50, 60), doubt(90, 95))
    assert few(scattered, 2) == (doubt(0, 60), doubt(90, 95))


def test_reasons_are_never_mixed_to_make_stretches_few() -> None:
    """A result may be longer than asked for if every stretch has a reason of its own."""
    different = [doubt(0, 1, "x"), doubt(2, 3, "y"), doubt(4, 5, "z")]

    assert few(different, 1) == tuple(different)


stretches = st.lists(
    st.builds(
        lambda start, length, reason: doubt(start, start + length, reason),
        st.integers(0, 99),
        st.integers(1, 9),
        st.sampled_from("xy"),
    ),
    max_size=12,
)


@given(stretches, st.integers(2, 6))
def test_whatever_was_in_doubt_stays_in_doubt(found: list[Doubt], most: int) -> None:
    """And with two reasons, no more than two stretches are needed."""
    kept = few(found, most)

    assert len(kept) <= most
    for one in found:
        same = merge((it.start, it.end) for it in kept if it.reason == one.reason)
        assert holds(same, (one.start, one.end))

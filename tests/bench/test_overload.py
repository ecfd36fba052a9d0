"""A sample of what an overloaded scan covers; `make bench-overload` has the whole table.

Each case takes seconds: it is days of a scan, request by request.
"""

from bench.overload import Case, Simulation
from tests.overloaded import whole_scan


def test_a_scan_with_twice_the_load_that_it_can_carry_keeps_up_with_fresh_time() -> None:
    """It covers nearly all that its requests allow, and most of it soon."""
    came = Simulation(Case(load=2.0, lanes=1, days=1.8, reach=0.5)).run()

    assert came.covered >= 0.46
    assert came.soon >= 0.5
    assert came.behind <= 2
    assert 0.85 <= came.estimate <= 1.15


def test_a_scan_with_a_little_too_much_load_covers_most_of_it() -> None:
    """It covers at least four fifths, even with several slices in work."""
    came = Simulation(Case(load=1.15, lanes=3, days=1.8, reach=0.5)).run()

    assert came.covered >= 0.8
    assert came.soon >= 0.5
    assert came.behind <= 2


def test_an_outage_is_caught_up_with_before_it_passes_the_reach() -> None:
    """Nothing is lost while the load is within the capacity."""
    came = Simulation(Case(load=0.97, lanes=3, days=1, reach=0.75, outage=0.5)).run()

    assert came.covered == 1
    assert came.behind <= 2.5


def test_a_whole_scan_that_is_overloaded_stores_what_it_covers_once() -> None:
    """It adds the use case to the same rules; `make bench-overload` does a week of it."""
    came = whole_scan(Case(load=2.0, lanes=1, days=0.9, reach=0.4))

    assert came.covered >= 0.46
    assert came.soon >= 0.5
    assert came.behind <= 2
    assert 0.85 <= came.estimate <= 1.15

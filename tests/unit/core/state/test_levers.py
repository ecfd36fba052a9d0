"""The levers: what each changes, and what is refused."""

import re
from typing import Any

import msgspec
import pytest

from shared.core.errors import LeverRefused
from shared.core.model import FIRST_PASS, Ledger, Loss, Pacing, Pause, Policy
from shared.core.state import levers
from shared.core.state.decisions import Order
from tests.fakes import DAY, HOUR, MINUTE, NOW, policy
from tests.unit.core.state.building import HOW, new_ledger, piece_of

ORDER = Order(at=NOW, by="kim", reason="maintenance")


def test_taking_the_ledger_over_makes_the_next_save_of_a_run_fail() -> None:
    """The epoch grows, so no block id of the run is used again, and the claim is free."""
    held = new_ledger(epoch=4, claimed_until=NOW + HOUR)

    after = levers.taken(held)

    assert (after.epoch, after.claimed_until) == (5, 0)


def test_a_pause_says_since_when_until_when_by_whom_and_why() -> None:
    """So does its decision."""
    after = levers.paused(new_ledger(), ORDER, until=NOW + HOUR)

    assert after.pause == Pause(since=NOW, until=NOW + HOUR, by="kim", reason="maintenance")
    (decision,) = after.decisions
    assert (decision.kind, decision.by) == ("pause", "kim")
    assert decision.what == "no run sends a request until 2026-11-23 13:00:00 UTC"
    assert after.outstanding == ()


def test_a_pause_may_be_for_good() -> None:
    """It ends when somebody resumes the scan."""
    after = levers.paused(new_ledger(), ORDER, until=None)

    assert after.pause == Pause(since=NOW, until=None, by="kim", reason="maintenance")
    assert after.decisions[0].what == "no run sends a request"


def test_a_paused_scan_may_be_paused_for_longer() -> None:
    """It counts as paused since the first time."""
    before = levers.paused(new_ledger(), ORDER, until=NOW + HOUR)

    after = levers.paused(before, Order(at=NOW + MINUTE, by="lee"), until=None)

    assert after.pause == Pause(since=NOW, until=None, by="lee", reason="")


@pytest.mark.parametrize(
    ("until", "again", "why"),
    [
        (NOW + HOUR, NOW, "in the past"),
        (
            NOW + HOUR,
            NOW + HOUR,
            "paused already, since 2026-11-23 12:00:00 UTC and until",
        ),
        (NOW + HOUR, NOW + HOUR, "and until 2026-11-23 13:00:00 UTC, by kim: maintenance"),
        (None, None, "until somebody resumes it, by kim: maintenance"),
    ],
)
def test_a_pause_that_changes_nothing_is_refused(
    until: int | None, again: int | None, why: str
) -> None:
    """The message says how the scan is paused."""
    before = levers.paused(new_ledger(), ORDER, until=until)

    with pytest.raises(LeverRefused, match=re.escape(why)):
        levers.paused(before, ORDER, until=again)


def test_a_pause_without_a_reason_is_shown_without_one() -> None:
    """Nobody has to give one."""
    before = levers.paused(new_ledger(), Order(at=NOW, by="kim"), until=None)

    with pytest.raises(LeverRefused, match=r"by kim$"):
        levers.paused(before, ORDER, until=None)


def test_resuming_ends_the_pause() -> None:
    """The decision says since when it was paused."""
    before = levers.paused(new_ledger(), ORDER, until=None)

    after = levers.resumed(before, Order(at=NOW + HOUR, by="lee"))

    assert after.pause is None
    assert (after.decisions[-1].kind, after.decisions[-1].by) == ("resume", "lee")
    assert after.decisions[-1].what == "the pause since 2026-11-23 12:00:00 UTC ends"


def test_resuming_a_scan_that_is_not_paused_is_refused() -> None:
    """There is nothing to end."""
    with pytest.raises(LeverRefused, match="not paused"):
        levers.resumed(new_ledger(), ORDER)


@pytest.mark.parametrize(
    ("until", "now", "is_paused"),
    [
        (None, NOW + 99 * HOUR, True),
        (NOW + HOUR, NOW + HOUR - 1, True),
        (NOW + HOUR, NOW + HOUR, False),
    ],
)
def test_a_pause_ends_by_itself_when_its_time_is_over(
    until: int | None, now: int, *, is_paused: bool
) -> None:
    """The scan decides so itself, and records it."""
    before = levers.paused(new_ledger(), ORDER, until=until)

    after = levers.resumed_in_time(before, now)

    last = after.decisions[-1]
    assert (after.pause is not None) is is_paused
    assert (last.by, last.reason) == (
        ("kim", "maintenance") if is_paused else ("the scan", "the pause was to end by then")
    )


def test_a_scan_that_is_not_paused_stays_as_it_is() -> None:
    """A claim asks every time."""
    assert levers.resumed_in_time(new_ledger(), NOW) == new_ledger()


def test_a_retry_makes_waiting_and_blocked_slices_due_at_once() -> None:
    """They stay blocked, since only an answer shows that they can be read."""
    waiting = piece_of(not_before=NOW + MINUTE, faults=2)
    blocked = piece_of((NOW - HOUR, NOW - HOUR + MINUTE), not_before=NOW + HOUR, blocked_since=NOW)

    after = levers.retried(new_ledger(open=(waiting, blocked)), ORDER)

    assert [(it.not_before, it.blocked, it.faults) for it in after.open] == [
        (0, False, 2),
        (0, True, 0),
    ]
    (decision,) = after.decisions
    assert decision.kind == "retry"
    assert decision.what == "due at once: 2 of 2 open slices, 1 of them blocked"


def test_a_retry_when_nothing_waits_is_refused() -> None:
    """A slice whose time has come does not wait, and a throttle that is over is not mentioned."""
    over = Pacing(not_before=NOW)

    with pytest.raises(LeverRefused, match=r"no slice waits$"):
        levers.retried(new_ledger(open=(piece_of(not_before=NOW),), pacing=over), ORDER)


def test_a_retry_leaves_a_throttle_and_says_so() -> None:
    """The API said how long it lasts."""
    ledger = new_ledger(pacing=Pacing(not_before=NOW + MINUTE))

    with pytest.raises(LeverRefused, match="waits until 2026-11-23 12:01:00 UTC, because"):
        levers.retried(ledger, ORDER)


FILTERED = policy(filters={"service": {"eq": [11161]}})


def test_accepting_filters_is_an_order_for_the_next_run() -> None:
    """The manifest that states it changes the scope, and not the command."""
    after = levers.filters_accepted(new_ledger(), ORDER, FILTERED)

    (decision,) = after.outstanding
    assert (decision.kind, decision.fingerprint) == ("accept-filters", FILTERED.fingerprint)
    assert decision.what.startswith(f"the filters change from fingerprint {HOW.fingerprint} to")
    assert after.fingerprint == HOW.fingerprint
    assert levers.is_accepted(after, FILTERED.fingerprint)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        (HOW, "there is nothing to accept"),
        (policy(axis="created"), "coverage on one cannot be carried to the other"),
    ],
)
def test_there_must_be_changed_filters_to_accept(how: Policy, why: str) -> None:
    """Another sort field cannot be accepted at all."""
    with pytest.raises(LeverRefused, match=why):
        levers.filters_accepted(new_ledger(), ORDER, how)


def test_filters_are_accepted_once() -> None:
    """The second order would only repeat the first."""
    accepted = levers.filters_accepted(new_ledger(), ORDER, FILTERED)

    with pytest.raises(LeverRefused, match="accepted already"):
        levers.filters_accepted(accepted, ORDER, FILTERED)


def test_a_backfill_moves_the_origin_to_an_earlier_hour() -> None:
    """The next run commits it."""
    ledger = new_ledger()

    after = levers.backfilled(ledger, ORDER, HOW, to=ledger.origin - 5 * HOUR + 1)

    (decision,) = after.outstanding
    assert decision.bounds == (ledger.origin - 5 * HOUR, ledger.origin)
    assert decision.what == (
        "the scan begins at 2026-11-23 04:00:00 UTC, 5 h before 2026-11-23 09:00:00 UTC"
    )
    assert after.origin == ledger.origin


@pytest.mark.parametrize(
    ("to", "changes", "why"),
    [
        (NOW, {}, "begins at 2026-11-23 09:00:00 UTC already, which is not after 2026-11-23 12"),
        (NOW - 3 * HOUR + 1, {}, "which is not after 2026-11-23 09:00:00 UTC"),
        (NOW - 31 * DAY, {}, "beyond the API's reach of 30 days"),
        (NOW - 30 * DAY + 2 * HOUR, {}, "the earliest time is 2026-10-24"),
        (NOW - 9 * HOUR, {"settled_until": NOW}, "until 2026-11-23 12:00:00 UTC is settled"),
    ],
)
def test_a_backfill_that_makes_no_sense_is_refused(
    to: int, changes: dict[str, Any], why: str
) -> None:
    """Not before the origin, out of reach, or into settled time."""
    with pytest.raises(LeverRefused, match=why):
        levers.backfilled(new_ledger(**changes), ORDER, HOW, to=to)


def test_one_backfill_is_committed_before_the_next_is_ordered() -> None:
    """The bounds of the second depend on the first."""
    ordered = levers.backfilled(new_ledger(), ORDER, HOW, to=NOW - 9 * HOUR)

    with pytest.raises(LeverRefused, match="to 2026-11-23 03:00:00 UTC is about to begin"):
        levers.backfilled(ordered, ORDER, HOW, to=NOW - 10 * HOUR)


def test_a_backfill_is_ordered_beside_other_orders() -> None:
    """Only another backfill is waited for."""
    ledger = levers.filters_accepted(new_ledger(), ORDER, FILTERED)
    ledger = levers.rescanned(ledger, ORDER, HOW, bounds=(NOW - HOUR, NOW))

    after = levers.backfilled(ledger, ORDER, HOW, to=NOW - 9 * HOUR)

    assert [it.kind for it in after.outstanding] == ["accept-filters", "rescan", "backfill"]


def test_the_earliest_time_that_a_refusal_names_is_accepted() -> None:
    """To the hour, and not one hour earlier."""
    ledger = new_ledger()
    with pytest.raises(LeverRefused, match="the earliest time is 2026-10-24 15:00:00 UTC"):
        levers.backfilled(ledger, ORDER, HOW, to=NOW - 30 * DAY + 2 * HOUR)

    after = levers.backfilled(ledger, ORDER, HOW, to=NOW - 30 * DAY + 3 * HOUR)

    assert after.outstanding[0].bounds == (NOW - 30 * DAY + 3 * HOUR, ledger.origin)


def test_a_rescan_has_a_pass_of_its_own() -> None:
    """It is named after the epoch of the order."""
    bounds = (NOW - 2 * HOUR, NOW - HOUR)

    after = levers.rescanned(new_ledger(epoch=6), ORDER, HOW, bounds=bounds)

    (decision,) = after.outstanding
    assert (decision.kind, decision.pass_name, decision.bounds) == ("rescan", "rescan-7", bounds)
    assert decision.what == (
        "2026-11-23 10:00:00 UTC to 2026-11-23 11:00:00 UTC is scanned again as rescan-7, "
        "for what is missing"
    )


@pytest.mark.parametrize(
    ("bounds", "changes", "why"),
    [
        ((NOW - HOUR, NOW - HOUR), {}, "is empty: --from must be before --until"),
        ((NOW - HOUR, NOW + 1), {}, "is in the future"),
        ((NOW - 4 * HOUR, NOW), {}, "the scan begins at 2026-11-23 09:00:00 UTC, after --from"),
        ((NOW - 31 * DAY, NOW), {"origin": NOW - 40 * DAY}, "beyond the API's reach of 30 days"),
        ((NOW - 3 * HOUR, NOW), {"settled_until": NOW - HOUR}, "is settled: nothing is added"),
        ((NOW - HOUR, NOW), {"rescans": {"rescan-1": ((NOW - HOUR, NOW),)}}, "again already"),
        (
            (NOW - HOUR, NOW),
            {"rescans": {f"rescan-{n}": ((NOW - n, NOW),) for n in range(8)}},
            "8 rescans are under way",
        ),
    ],
)
def test_a_rescan_that_makes_no_sense_is_refused(
    bounds: tuple[int, int], changes: dict[str, Any], why: str
) -> None:
    """The message says what would."""
    with pytest.raises(LeverRefused, match=why):
        levers.rescanned(new_ledger(**changes), ORDER, HOW, bounds=bounds)


def test_a_rescan_that_is_ordered_already_is_not_ordered_again() -> None:
    """Not even before the run that begins it."""
    ordered = levers.rescanned(new_ledger(), ORDER, HOW, bounds=(NOW - HOUR, NOW))

    with pytest.raises(LeverRefused, match="being scanned again already"):
        levers.rescanned(ordered, ORDER, HOW, bounds=(NOW - HOUR, NOW))


def test_eight_rescans_may_be_under_way_beside_other_orders() -> None:
    """Those that are ordered count, and a backfill does not."""
    begun = {f"rescan-{n}": ((NOW - n, NOW),) for n in range(2, 8)}
    ledger = levers.filters_accepted(new_ledger(rescans=begun), ORDER, FILTERED)
    ledger = levers.backfilled(ledger, ORDER, HOW, to=NOW - 9 * HOUR)
    ledger = levers.rescanned(ledger, ORDER, HOW, bounds=(NOW - 2 * HOUR, NOW))

    ledger = levers.rescanned(ledger, ORDER, HOW, bounds=(NOW - 3 * HOUR, NOW))

    with pytest.raises(LeverRefused, match="8 rescans are under way"):
        levers.rescanned(ledger, ORDER, HOW, bounds=(NOW - HOUR, NOW))


def test_an_order_stays_sensible_while_nothing_it_rests_on_changes() -> None:
    """Then the next run commits it."""
    ledger = levers.filters_accepted(new_ledger(), ORDER, FILTERED)
    ledger = levers.backfilled(ledger, ORDER, HOW, to=NOW - 9 * HOUR)
    ledger = levers.rescanned(ledger, ORDER, HOW, bounds=(NOW - HOUR, NOW))

    assert [levers.outdated(ledger, it, FILTERED) for it in ledger.outstanding] == ["", "", ""]


def test_an_order_is_dropped_when_what_it_rests_on_has_changed() -> None:
    """The settings, the origin, or what is settled."""
    ledger = levers.filters_accepted(new_ledger(), ORDER, FILTERED)
    ledger = levers.backfilled(ledger, ORDER, HOW, to=NOW - 9 * HOUR)
    accept, backfill = ledger.outstanding
    moved = msgspec.structs.replace(ledger, origin=NOW)
    settled = msgspec.structs.replace(ledger, settled_until=NOW)

    assert "the filters have changed again" in levers.outdated(ledger, accept, HOW)
    assert "begins at 2026-11-23 12:00:00 UTC by now" in levers.outdated(moved, backfill, HOW)
    assert "is settled" in levers.outdated(settled, backfill, HOW)
    assert levers.dropped(ledger, accept).outstanding == (backfill,)


def rescanning(**changes: Any) -> Ledger:
    """Return a ledger with a rescan of the hour before the last."""
    wanted = (NOW - 2 * HOUR, NOW - HOUR)
    values = {"rescans": {"rescan-3": (wanted,)}, "coverage": {FIRST_PASS: (wanted,)}, **changes}
    return new_ledger(**values)


def test_a_rescan_ends_when_its_pass_has_covered_all_of_it() -> None:
    """The scan decides so, once."""
    bounds = ((NOW - 2 * HOUR, NOW - HOUR),)
    ledger = rescanning(coverage={FIRST_PASS: bounds, "rescan-3": bounds})

    after = levers.rescans_ended(ledger, NOW, HOW)

    (decision,) = after.outstanding
    assert (decision.kind, decision.by, decision.pass_name) == (
        "rescan-done",
        "the scan",
        "rescan-3",
    )
    assert decision.what == "rescan-3 is done"
    assert levers.rescans_ended(after, NOW, HOW) is after


def test_a_rescan_goes_on_while_something_is_left() -> None:
    """The ledger stays the same."""
    ledger = rescanning(open=(piece_of((NOW - 2 * HOUR, NOW - HOUR), pass_name="rescan-3"),))

    assert levers.rescans_ended(ledger, NOW, HOW) is ledger


def test_a_rescan_ends_where_the_reach_has_passed_it() -> None:
    """A slice that has left the reach proves nothing any more; the decision says how much."""
    passed = piece_of((NOW - 2 * HOUR, NOW - HOUR), pass_name="rescan-3")
    other = piece_of((NOW - HOUR, NOW), pass_name="sweep-2h")

    after = levers.rescans_ended(rescanning(open=(passed, other)), NOW + 30 * DAY, HOW)

    assert after.open == (other,)
    assert after.outstanding[0].what == (
        "rescan-3 is done; 1.0 h had left the API's reach before that"
    )


def test_a_slice_of_a_rescan_that_begins_at_the_edge_stays_open() -> None:
    """A look at it can still prove something."""
    edge = NOW - HOW.reach + 2 * HOUR
    bounds = (edge, edge + HOUR)
    kept = piece_of(bounds, pass_name="rescan-3")
    ledger = new_ledger(
        origin=edge, settled_until=edge, rescans={"rescan-3": (bounds,)}, open=(kept,)
    )

    assert levers.rescans_ended(ledger, NOW, HOW) is ledger
    assert levers.rescans_ended(ledger, NOW + 1, HOW).open == ()


@pytest.mark.parametrize("covered", [(), ((NOW - 2 * HOUR + MINUTE, NOW - HOUR),)])
def test_a_rescan_does_not_wait_for_time_that_is_declared_lost(
    covered: tuple[tuple[int, int], ...],
) -> None:
    """Nobody will ever scan it, wherever the rescan has been already."""
    end = covered[0][0] if covered else NOW - HOUR
    lost = Loss(start=NOW - 2 * HOUR, end=end, reason="gone")
    ledger = rescanning(lost=(lost,), coverage={FIRST_PASS: (), "rescan-3": covered})

    assert levers.rescans_ended(ledger, NOW, HOW).outstanding

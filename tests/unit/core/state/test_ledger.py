"""The ledger: its codec, its claim, its check against the chain, and its open slices."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.errors import LedgerRolledBack, LedgerTooNew, LedgerUnreadable, ScopeChanged
from shared.core.model import (
    FIRST_PASS,
    ApiClock,
    Head,
    Load,
    Slice,
)
from shared.core.slices.transitions import Transition
from shared.core.state import committing, levers
from shared.core.state import ledger as ledgers
from shared.core.state.decisions import Order
from tests.fakes import DAY, HOUR, MINUTE, NOW, policy
from tests.unit.core.state.building import (
    END,
    HOW,
    START,
    about_to_commit,
    after,
    commit_of,
    new_ledger,
    piece_of,
    pieces,
)

LEAST = b'{"version": %d, "min_reader": %d}'


@given(done=st.lists(pieces, max_size=4), opened=pieces, run=st.text())
def test_a_ledger_is_read_as_it_was_written(done: list[Slice], opened: Slice, run: str) -> None:
    """Whatever has happened to it; the same ledger gives the same bytes."""
    ledger = new_ledger(run=run)
    for piece in done:
        ledger = after(ledger, piece)
    ledger = about_to_commit(ledgers.opened(ledger, opened), opened)

    content = ledgers.encode(ledger)

    assert ledgers.decode(content) == ledger
    assert ledgers.encode(ledgers.decode(content)) == content


@pytest.mark.parametrize(("version", "least"), [(2, 1), (2, 2), (1, 2), (99, 1)])
def test_a_newer_ledger_is_refused_whatever_else_it_holds(version: int, least: int) -> None:
    """Its fields may mean something else; deploying the newer program again helps."""
    with pytest.raises(LedgerTooNew, match="deploy the newer program again"):
        ledgers.decode(LEAST % (version, least))


@pytest.mark.parametrize("least", [0, 1])
def test_a_newer_ledger_that_lets_this_version_use_it_is_read_without_what_is_new(
    least: int,
) -> None:
    """The fields that are dropped can be told, and the ledger has this version from then on."""
    ledger = new_ledger()
    stated = msgspec.json.decode(ledgers.encode(ledger))
    new = {"version": 2, "min_reader": least, "surprise": 1, "another": []}
    newer = msgspec.json.encode({**stated, **new})

    assert ledgers.decode(newer) == ledger
    assert ledgers.dropped(newer) == ("surprise", "another")


def test_of_a_ledger_of_this_version_nothing_is_dropped() -> None:
    """It has no field that this version does not know."""
    assert ledgers.dropped(ledgers.encode(new_ledger())) == ()


@pytest.mark.parametrize("version", [0, -1])
def test_a_version_that_never_was_is_refused(version: int) -> None:
    """No program has written it."""
    with pytest.raises(LedgerUnreadable, match=f"states version {version}"):
        ledgers.decode(LEAST % (version, 1))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("open", [{"surprise": 1}]),
        ("open", None),
        ("head", {"number": 1, "sha256": None, "surprise": 1}),
        ("pacing", {"surprise": 1}),
        ("coverage", {"first": [[1, 2, 3]]}),
        ("axis", "timestamp"),
        ("origin", 1.5),
        ("epoch", "7"),
    ],
)
def test_what_is_not_understood_inside_is_refused_too(name: str, value: object) -> None:
    """At every depth: half understood is not understood."""
    stated = msgspec.json.decode(ledgers.encode(new_ledger()))

    with pytest.raises(LedgerUnreadable, match="never reset"):
        ledgers.decode(msgspec.json.encode({**stated, name: value}))


@given(st.binary(max_size=80))
def test_no_bytes_end_otherwise_than_in_a_ledger_s_error(content: bytes) -> None:
    """A run reports it; nothing else is raised."""
    with pytest.raises((LedgerUnreadable, LedgerTooNew)):
        ledgers.decode(content)


@pytest.mark.parametrize(
    "damage", [b'"\xff"', b"[" * 100_000 + b"]" * 100_000], ids=["text", "nesting"]
)
@pytest.mark.parametrize("name", [b"scan", b"surprise"])
def test_a_damaged_ledger_is_refused(name: bytes, damage: bytes) -> None:
    """Bytes that are not UTF-8, and nesting that is too deep, are read by no decoder."""
    with pytest.raises(LedgerUnreadable, match="cannot be read"):
        ledgers.decode(b'{"version":1,"min_reader":1,"%b":%b}' % (name, damage))


@pytest.mark.parametrize("late", [0, 1, HOUR - 1])
def test_the_origin_is_floored_to_the_hour(late: int) -> None:
    """It is fixed on the first run, and the lookback that it came from is kept."""
    ledger = ledgers.begin(policy(lookback=7 * DAY), NOW + late)

    assert (ledger.origin, ledger.lookback, ledger.made) == (NOW - 7 * DAY, 7 * DAY, NOW + late)
    assert (ledger.epoch, ledger.head, ledger.claimed_until) == (0, Head(), 0)


def test_a_scan_begins_with_no_run_and_nothing_covered() -> None:
    """Its first pass is named all the same, as in every ledger."""
    ledger = ledgers.begin(HOW, NOW)

    assert (ledger.run, ledger.coverage) == ("", {FIRST_PASS: ()})


@pytest.mark.parametrize(
    ("until", "held"),
    [
        (0, False),
        (NOW, False),
        (NOW + 1, True),
        (NOW + 270_000, True),
        (NOW + 270_001, False),
        (NOW + DAY, False),
    ],
)
def test_a_claim_holds_until_it_expires(until: int, held: bool) -> None:  # noqa: FBT001
    """One further ahead than the time budget and 30 s is a clock's mistake."""
    assert ledgers.is_held(new_ledger(claimed_until=until), NOW, HOW) == held


def test_a_claim_counts_the_epoch_and_lasts_as_long_as_a_run_may() -> None:
    """Time budget and 30 s; the API's host is noted."""
    claimed = ledgers.claim(new_ledger(epoch=6), run="me", now=NOW, policy=policy(api="other"))

    assert (claimed.epoch, claimed.run, claimed.api) == (7, "me", "other")
    assert claimed.claimed_until == NOW + 240_000 + 30_000
    assert ledgers.is_held(claimed, NOW + 269_999, HOW)


def test_a_claim_notes_when_the_run_started_and_how_old_the_last_sweep_is() -> None:
    """The capacity is measured from the starts; what is final depends on the last sweep."""
    first = ledgers.claim(new_ledger(), run="me", now=NOW, policy=HOW)

    second = ledgers.claim(first, run="you", now=NOW + MINUTE, policy=HOW)

    assert second.pacing.starts == (NOW, NOW + MINUTE)
    assert second.last_sweep == DAY


@pytest.mark.parametrize(("requests", "overloaded"), [(1, False), (100_000, True)])
def test_a_claim_says_whether_the_scan_is_overloaded(requests: int, overloaded: bool) -> None:  # noqa: FBT001
    """That is, whether the first pass needs more requests than the runs can send."""
    ledger = new_ledger(load={START: Load(requests=requests, covered=HOUR)})

    assert ledgers.claim(ledger, run="me", now=NOW, policy=HOW).overloaded is overloaded


def test_a_claim_settles_what_is_final_and_beyond_the_api_s_reach() -> None:
    """Two hours before it leaves that; the coverage that the ledger keeps begins there."""
    origin = NOW - 3 * HOUR
    covered = dict.fromkeys((FIRST_PASS, "sweep-2h", "sweep-24h"), ((origin, NOW),))
    ledger = new_ledger(coverage=covered)

    claimed = ledgers.claim(ledger, run="me", now=origin + 30 * DAY - HOUR, policy=HOW)

    assert (ledger.settled_until, claimed.settled_until) == (origin, origin + HOUR)
    assert claimed.coverage == dict.fromkeys(covered, ((origin + HOUR, NOW),))


def test_a_released_ledger_is_free_at_once() -> None:
    """Its epoch stays, since block ids stand on it."""
    claimed = ledgers.claim(new_ledger(), run="me", now=NOW, policy=HOW)

    released = ledgers.release(claimed)

    assert not ledgers.is_held(released, NOW, HOW)
    assert (released.epoch, released.run, released.claimed_until) == (1, "me", 0)


@pytest.mark.parametrize("late", [0, 5_000, 29_999])
def test_a_claim_counts_what_a_killed_run_could_not_save(late: int) -> None:
    """A request for each lane, at the end of its time; a released ledger lacks none."""
    how = policy(concurrency=3)
    killed = ledgers.claim(new_ledger(), run="killed", now=NOW, policy=how)
    begun = killed.claimed_until + late

    claimed = ledgers.claim(killed, run="me", now=begun, policy=how)
    after_release = ledgers.claim(ledgers.release(killed), run="me", now=begun, policy=how)

    assert claimed.pacing.sent_at == (NOW + how.budget,) * 3
    assert after_release.pacing.sent_at == ()


def test_what_a_killed_run_could_not_save_was_sent_before_the_next_one() -> None:
    """Whatever its clock said: a claim that is too far ahead is not believed."""
    killed = new_ledger(claimed_until=NOW + 30 * DAY)

    claimed = ledgers.claim(killed, run="me", now=NOW, policy=policy(concurrency=2))

    assert claimed.pacing.sent_at == (NOW, NOW)


FILTERED = {"service": {"eq": [20893]}}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"scan": "other"}, "is of scan 'all', not of 'other'"),
        ({"axis": "created"}, "restore SCAN_SORT_FIELD"),
        ({"filters": FILTERED}, "SCAN_ACCEPT_FILTERS="),
        ({"filters": FILTERED, "accept": "0123456789abcdef"}, "SCAN_ACCEPT_FILTERS="),
        ({"filters": FILTERED, "accept": HOW.fingerprint}, "SCAN_ACCEPT_FILTERS="),
    ],
)
def test_a_changed_scope_is_refused(changes: dict[str, Any], says: str) -> None:
    """Its coverage would be false; the message says how to go on."""
    with pytest.raises(ScopeChanged, match=says):
        ledgers.claim(new_ledger(), run="me", now=NOW, policy=policy(**changes))


def test_no_acceptance_carries_coverage_to_another_sort_field() -> None:
    """Not even that of the new fingerprint."""
    other = policy(axis="created")

    with pytest.raises(ScopeChanged, match="coverage on one says nothing"):
        ledgers.claim(
            new_ledger(), run="me", now=NOW, policy=policy(axis="created", accept=other.fingerprint)
        )


def test_a_setting_accepts_changed_filters_by_a_decision_that_is_taken_once() -> None:
    """The filters change when the decision is committed, and not before."""
    new = policy(filters=FILTERED)
    accepting = policy(filters=FILTERED, accept=new.fingerprint)

    claimed = ledgers.claim(new_ledger(), run="me", now=NOW, policy=accepting)
    again = ledgers.claim(claimed, run="you", now=NOW + 1, policy=accepting)

    (decision,) = again.outstanding
    assert (decision.kind, decision.by, decision.at) == (
        "accept-filters",
        "SCAN_ACCEPT_FILTERS",
        NOW,
    )
    assert decision.fingerprint == new.fingerprint
    assert again.fingerprint == HOW.fingerprint


def test_a_run_may_claim_once_a_command_has_accepted_its_filters() -> None:
    """No setting is needed then."""
    new = policy(filters=FILTERED)
    order = Order(at=NOW, by="kim")
    accepted = levers.filters_accepted(new_ledger(), order, new)

    claimed = ledgers.claim(accepted, run="me", now=NOW, policy=new)

    assert claimed.outstanding == accepted.outstanding
    with pytest.raises(ScopeChanged, match="python -m shared accept-filters"):
        ledgers.require_scope(claimed, new)


def test_a_claim_ends_a_pause_whose_time_is_over() -> None:
    """One that is not over holds."""
    paused = levers.paused(new_ledger(), Order(at=NOW, by="kim"), until=NOW + HOUR)

    before = ledgers.claim(paused, run="me", now=NOW + HOUR - 1, policy=HOW)
    after = ledgers.claim(paused, run="me", now=NOW + HOUR, policy=HOW)

    assert (before.pause, after.pause) == (paused.pause, None)


def test_before_the_first_commit_no_manifest_may_exist() -> None:
    """There is no head to look for."""
    check = ledgers.chain_check(new_ledger())

    assert (check.head, check.absent) == (None, 1)
    ledgers.require_head(check, None, following_exists=False)


def test_the_head_must_exist_and_nothing_after_it() -> None:
    """The number after the head's."""
    ledger = after(new_ledger(), piece_of())

    check = ledgers.chain_check(ledger)

    assert (check.head, check.absent) == (ledger.head, 2)


def test_the_manifest_that_is_being_committed_may_exist_or_not() -> None:
    """What must be absent is the number after it."""
    ledger = about_to_commit(after(new_ledger(), piece_of()), piece_of((END, END + MINUTE)))

    check = ledgers.chain_check(ledger)

    assert (check.head, check.absent) == (ledger.head, 3)


@pytest.mark.parametrize(
    ("content", "following", "says"),
    [
        (None, False, "manifest 1, .*is missing: "),
        (b"other", False, "manifest 1, .*has another hash: "),
        (b"as it is", True, "manifest 2 exists"),
        (None, True, "is missing: "),
    ],
)
def test_a_ledger_that_is_not_of_the_chain_is_refused(
    content: bytes | None,
    following: bool,  # noqa: FBT001
    says: str,
) -> None:
    """It is older than the chain, or of another history."""
    ledger = after(new_ledger(), piece_of())
    true = commit_of(about_to_commit(new_ledger(), piece_of())).manifest.encode()
    found = true if content == b"as it is" else content

    with pytest.raises(LedgerRolledBack, match=says):
        ledgers.require_head(ledgers.chain_check(ledger), found, following_exists=following)


def test_a_ledger_of_its_chain_is_accepted() -> None:
    """The head has the hash that the ledger knows."""
    ledger = after(new_ledger(), piece_of())
    content = commit_of(about_to_commit(new_ledger(), piece_of())).manifest.encode()

    ledgers.require_head(ledgers.chain_check(ledger), content, following_exists=False)


def test_a_slice_is_opened_once_and_in_its_place() -> None:
    """The open slices stay sorted; opening again changes nothing, however far it has come."""
    later, earlier = piece_of((END, END + MINUTE)), piece_of()
    ledger = ledgers.opened(ledgers.opened(new_ledger(), later), earlier)

    again = ledgers.opened(ledger, piece_of(cursor=START + 7))

    assert again == ledger
    assert ledger.open == (earlier, later)


def test_an_open_slice_is_found_by_its_bounds_as_it_is_open() -> None:
    """However far it has come since; others do not count."""
    other, reached = piece_of((END, END + MINUTE)), piece_of(cursor=START + 7)
    ledger = new_ledger(open=(other, reached))

    assert ledgers.open_as(ledger, piece_of()) == reached
    assert ledgers.open_as(ledger, piece_of((START, END + MINUTE))) is None


def test_a_turned_slice_is_replaced_by_what_goes_on_and_what_it_opened() -> None:
    """The others stay as they are."""
    other, halves = piece_of((END, END + MINUTE)), ((START, START + 9), (START + 9, END))
    ledger = new_ledger(open=(piece_of(), other))

    cut = committing.after_transition(
        ledger, piece_of(), Transition(opened=tuple(map(piece_of, halves))), HOW
    )
    on = committing.after_transition(
        ledger, piece_of(), Transition(goes_on=piece_of(cursor=START + 1)), HOW
    )

    assert [(it.start, it.end) for it in cut.open] == [*halves, (END, END + MINUTE)]
    assert on.open == (piece_of(cursor=START + 1), other)


def test_an_origin_that_a_fast_clock_computed_moves_back_before_the_first_commit() -> None:
    """The API's clock is days behind the run's; a `Date` more than a year behind is a defect."""
    begun = new_ledger()

    moved = ledgers.heard(begun, -2 * DAY, NOW, HOW)

    assert moved.origin == moved.settled_until == begun.origin - 2 * DAY
    assert ledgers.heard(begun, -400 * DAY, NOW, HOW).origin == begun.origin


@pytest.mark.parametrize(
    ("ahead", "earlier"),
    [
        (-30 * MINUTE, 0),
        (-HOUR, 0),
        (-HOUR - 1, 2 * HOUR),
        (-366 * DAY + HOUR, 366 * DAY - HOUR),
        (-366 * DAY, 0),
    ],
)
def test_an_origin_moves_back_for_clocks_that_are_an_hour_to_a_year_apart(
    ahead: int, earlier: int
) -> None:
    """Smaller differences are usual, and larger ones are not believed."""
    begun = new_ledger()

    assert ledgers.heard(begun, ahead, NOW, HOW).origin == begun.origin - earlier


def test_an_origin_stays_once_a_commit_has_begun() -> None:
    """Manifests state it."""
    committing_now = about_to_commit(new_ledger(), piece_of())
    committed = after(new_ledger(), piece_of())

    for ledger in (committing_now, committed):
        assert ledgers.heard(ledger, -2 * DAY, NOW, HOW).origin == ledger.origin


def test_the_distance_of_the_api_s_clock_is_kept_if_it_can_be_believed() -> None:
    """A day or less."""
    expected = ApiClock(offset=5_000, at=NOW)

    assert ledgers.heard(new_ledger(), 5_000, NOW, HOW).api_clock == expected
    assert ledgers.heard(new_ledger(), 2 * DAY, NOW, HOW) == new_ledger()


def test_a_part_that_the_ledger_forgot_is_explained_with_its_name() -> None:
    """And with the command that adopts it."""
    error = ledgers.put_back_before("x/y")

    assert isinstance(error, LedgerRolledBack)
    assert "part x/y exists" in str(error)
    assert "ledger rebuild" in str(error)


def test_the_scope_is_right_while_the_filters_are_those_of_the_coverage() -> None:
    """Other filters are refused until their decision is committed."""
    ledgers.require_scope(new_ledger(), HOW)

    with pytest.raises(ScopeChanged, match="have changed"):
        ledgers.require_scope(new_ledger(), policy(filters=FILTERED))

"""What a slice does after a fault."""

from dataclasses import replace

import msgspec
import pytest

from shared.core.api.answers import Fault
from shared.core.model import POISONED, Dense, Doubt, Seen, Slice
from shared.core.slices.retreat import (
    BLOCKED_RETRY_MS,
    POISONED_FAULTS,
    RIPE_FAULTS,
    Outlook,
    close,
    doubted,
    halved,
    is_ripe,
    is_stuck,
    retreat,
    shows_poison,
)
from shared.core.slices.transitions import Draft
from tests.fakes import HOUR, MINUTE, NOW
from tests.unit.core.slices.building import END, ROOM, START, opened, staged


def struck(piece: Slice, kind: str, times: int, outlook: Outlook = ROOM) -> Draft:
    """Let a slice meet the same fault several times."""
    for _ in range(times):
        fault = Fault(kind=kind, detail="x")  # type: ignore[arg-type]
        transition = retreat(piece, fault, outlook, now=NOW, jitter=0.5)
        if transition.goes_on is None:
            return transition
        piece = transition.goes_on
    return transition


@pytest.mark.parametrize(("faults", "wait"), [(1, 2_500), (2, 5_000)])
def test_a_fault_is_answered_by_backing_off(faults: int, wait: int) -> None:
    """With jitter, and twice as long with each one."""
    transition = struck(opened(limit=500), "transient", faults)

    assert transition.goes_on
    assert transition.goes_on.not_before == NOW + wait


def test_three_transient_faults_halve_the_page_then_the_interval() -> None:
    """A page that is too heavy, then a slice that is."""
    transition = struck(opened(limit=1500), "transient", 3)
    assert transition.goes_on
    assert transition.goes_on.limit == 750

    transition = struck(transition.goes_on, "transient", 3)
    assert transition.goes_on
    assert transition.goes_on.limit == 500

    transition = struck(transition.goes_on, "transient", 3)
    assert [(it.start, it.end) for it in transition.opened] == [
        (START, START + 150_000),
        (START + 150_000, END),
    ]


def test_a_malformed_answer_makes_the_next_request_begin_afresh() -> None:
    """The continuation may be what is broken; after a time-out it is kept."""
    resumed = opened(cursor=START + 5, continuation="{}")

    malformed, late = struck(resumed, "malformed", 1), struck(resumed, "transient", 1)

    assert malformed.goes_on
    assert late.goes_on
    assert (malformed.goes_on.continuation, late.goes_on.continuation) == (None, "{}")


def test_what_is_proven_is_kept_when_a_slice_is_halved() -> None:
    """Only the rest is cut in two."""
    transition = struck(opened(cursor=START + 100_000, furthest=START + 99_000), "malformed", 3)

    assert transition.finished
    assert (transition.finished.start, transition.finished.end) == (START, START + 100_000)
    assert [it.start for it in transition.opened] == [START + 100_000, START + 200_000]


@pytest.mark.parametrize(
    ("length", "outlook"), [(1000, ROOM), (5 * MINUTE, replace(ROOM, may_open=False))]
)
def test_a_slice_that_cannot_be_halved_is_blocked(length: int, outlook: Outlook) -> None:
    """At a second, or when the ledger is full: it is tried hourly."""
    transition = struck(opened(end=START + length, limit=500), "malformed", 3, outlook)

    assert transition.goes_on
    assert transition.goes_on.blocked
    assert transition.goes_on.not_before == NOW + BLOCKED_RETRY_MS


def test_a_part_that_cannot_be_read_blocks_at_once() -> None:
    """Asking for less would not help."""
    transition = struck(opened(pass_name="sweep-2h"), "unreadable", 1)

    assert transition.goes_on
    assert transition.goes_on.blocked


def test_a_blocked_slice_stays_blocked_and_is_tried_hourly() -> None:
    """However many faults it meets, it is known since when it has been blocked."""
    transition = struck(opened(blocked_since=NOW - HOUR, limit=500), "transient", 7)

    assert transition.goes_on
    assert (transition.goes_on.blocked_since, transition.goes_on.faults) == (NOW - HOUR, 7)
    assert transition.goes_on.not_before == NOW + BLOCKED_RETRY_MS


def test_a_slice_that_is_blocked_says_since_when() -> None:
    """A person is told once it has lasted for an hour."""
    transition = struck(opened(end=START + 1000, limit=500), "malformed", 3)

    assert transition.goes_on
    assert (transition.goes_on.blocked, transition.goes_on.blocked_since) == (True, NOW)


def test_without_room_for_blocked_ones_a_slice_only_waits() -> None:
    """The ledger stays small; the slice keeps its place among the open ones."""
    transition = struck(
        opened(end=START + 1000, limit=500), "malformed", 3, replace(ROOM, may_block=False)
    )

    assert transition.goes_on
    assert not transition.goes_on.blocked
    assert transition.goes_on.not_before == NOW + BLOCKED_RETRY_MS


def test_a_slice_whose_staged_records_stand_ahead_starts_over_when_halved() -> None:
    """Nothing of it can be proven, so nothing of it is kept."""
    piece = opened(cursor=START + 100_000, furthest=START + 200_000, blocks=staged(2))

    transition = struck(piece, "malformed", 3)

    assert transition.finished is None
    assert [(it.start, it.end, it.blocks) for it in transition.opened] == [
        (START, START + 150_000, ()),
        (START + 150_000, END, ()),
    ]


def test_no_wait_is_longer_than_an_hour() -> None:
    """The back-off doubles with every fault, up to that."""
    patient = opened(faults=40, limit=500)

    draft = retreat(patient, Fault(kind="transient", detail="x"), ROOM, now=NOW, jitter=0.999)

    assert draft.goes_on
    assert draft.goes_on.not_before - NOW <= BLOCKED_RETRY_MS


def test_a_slice_waits_for_as_long_as_the_answer_asks() -> None:
    """The back-off may be shorter than that."""
    fault = Fault(kind="transient", detail="x", wait=90_000)

    draft = retreat(opened(), fault, ROOM, now=NOW, jitter=0.0)

    assert draft.goes_on
    assert draft.goes_on.not_before == NOW + 90_000


SECOND = {"end": START + 1000, "limit": 500, "faults": 2, "fault": "x"}
"""A second that meets its third fault next."""

PAGES = replace(ROOM, pages=1)
"""How a scan stands that has received a page since the last fault of a slice."""


def struck_again(piece: Slice, outlook: Outlook, kind: str = "malformed") -> Draft:
    """Let a slice meet one more fault."""
    fault = Fault(kind=kind, detail="x")  # type: ignore[arg-type]
    return retreat(piece, fault, outlook, now=NOW, jitter=0.5)


@pytest.mark.parametrize(
    ("piece", "kind", "pages", "shown"),
    [
        (opened(fault="x"), "malformed", 1, True),
        (opened(fault="x"), "transient", 1, True),
        (opened(fault="x"), "unexpected", 1, False),
        (opened(fault="x", pages_at_fault=1), "malformed", 1, False),
        (opened(), "malformed", 1, False),
    ],
)
def test_a_fault_shows_poison_if_others_received_pages_since_the_last_one(
    piece: Slice, kind: str, pages: int, *, shown: bool
) -> None:
    """An outage is not poison, nor is an error in this program."""
    fault = Fault(kind=kind, detail="x")  # type: ignore[arg-type]

    assert shows_poison(piece, fault, pages) is shown


def test_a_second_that_stays_poisoned_for_a_day_is_finished_in_doubt() -> None:
    """A later sweep will look at it again, so that nothing is given up for good."""
    piece = opened(**SECOND, blocked_since=NOW, poisoned=POISONED_FAULTS - 1)

    draft = struck_again(piece, replace(PAGES, again=True))

    assert draft.finished
    assert draft.finished.slice.doubt == (Doubt(start=START, end=START + 1000, reason=POISONED),)


@pytest.mark.parametrize(
    ("changes", "outlook"),
    [
        ({"poisoned": POISONED_FAULTS - 2}, replace(PAGES, again=True)),
        ({"poisoned": POISONED_FAULTS - 1}, PAGES),
        ({"poisoned": POISONED_FAULTS, "pages_at_fault": 1}, replace(PAGES, again=True)),
        ({}, replace(PAGES, again=True, may_block=False)),
        ({"blocked_since": None}, replace(PAGES, again=True)),
    ],
)
def test_a_poisoned_second_is_kept(changes: dict[str, int | None], outlook: Outlook) -> None:
    """Before a day, without a later sweep, or in an outage."""
    draft = struck_again(opened(**{**SECOND, "blocked_since": NOW, **changes}), outlook)

    assert draft.finished is None
    assert draft.goes_on
    assert draft.goes_on.blocked


@pytest.mark.parametrize(
    ("changes", "outlook"),
    [
        ({}, replace(PAGES, again=True)),
        ({}, replace(PAGES, crowded=True)),
        ({"pass_name": "sweep-2h"}, PAGES),
        ({"poisoned": POISONED_FAULTS - 1}, PAGES),
    ],
)
def test_a_poisoned_second_without_room_is_finished_in_doubt(
    changes: dict[str, object], outlook: Outlook
) -> None:
    """If a sweep looks again, if as many are stuck, or if its retries are exhausted."""
    draft = struck_again(opened(**SECOND, **changes), replace(outlook, may_block=False))

    assert draft.finished


def test_a_second_that_just_turned_poisonous_waits_for_room() -> None:
    """In an outage the room is full of slices that could still be halved."""
    draft = struck_again(opened(**SECOND), replace(PAGES, may_block=False))

    assert draft.finished is None
    assert draft.goes_on
    assert not draft.goes_on.blocked


def test_what_a_poisoned_second_has_shown_is_kept() -> None:
    """Only what lies ahead of its cursor is in doubt."""
    piece = opened(end=START + 1000, cursor=START + 400, blocks=staged(1), furthest=START + 399)

    finished = doubted(piece)

    assert (finished.start, finished.end) == (START, START + 1000)
    assert finished.slice.doubt == (Doubt(start=START + 400, end=START + 1000, reason=POISONED),)
    assert finished.slice.blocks == piece.blocks


@pytest.mark.parametrize(
    ("piece", "stuck"),
    [
        (opened(blocked_since=NOW), True),
        (opened(blocked_since=NOW, cramped=True), False),
        (opened(end=START + 1000, faults=3), True),
        (opened(end=START + 1000, faults=2), False),
        (opened(faults=3), False),
        (opened(start=START + 500, cursor=START + 500, end=START + 1500, faults=3), True),
        (opened(end=START + 1500, faults=3), True),
    ],
)
def test_a_slice_is_stuck_if_only_the_api_can_help(piece: Slice, *, stuck: bool) -> None:
    """One that could be halved, or that waits for room, is not."""
    assert is_stuck(piece) is stuck


@pytest.mark.parametrize(
    ("changes", "ripe"),
    [
        ({}, True),
        ({"blocked_since": None}, False),
        ({"poisoned": RIPE_FAULTS - 1}, False),
        ({"pages_at_fault": 1}, False),
        ({"end": START + 5 * MINUTE}, False),
    ],
)
def test_a_blocked_second_is_ripe_after_some_hours_of_poison(
    changes: dict[str, object], *, ripe: bool
) -> None:
    """As long as the API answers for other time."""
    second = opened(end=START + 1000, blocked_since=NOW, poisoned=RIPE_FAULTS)

    assert is_ripe(msgspec.structs.replace(second, **changes), pages=1) is ripe


def test_a_slice_that_was_blocked_for_want_of_room_is_halved() -> None:
    """Both halves may be asked for at once, and know the fault that led here."""
    piece = opened(blocked_since=NOW, cramped=True, fault="x", not_before=NOW + BLOCKED_RETRY_MS)

    draft = halved(piece, NOW)

    assert [(it.start, it.end) for it in draft.opened] == [
        (START, START + 150_000),
        (START + 150_000, END),
    ]
    assert {(it.not_before, it.fault, it.blocked) for it in draft.opened} == {(NOW, "x", False)}


def test_a_cramped_slice_that_is_too_short_by_now_stays_blocked() -> None:
    """What remains of it cannot be halved, so it no longer waits for room."""
    piece = opened(blocked_since=NOW, cramped=True, cursor=END - 500)

    draft = halved(piece, NOW)

    assert draft.opened == ()
    assert draft.goes_on == msgspec.structs.replace(piece, cramped=False)


def test_a_blocked_slice_is_not_halved_by_another_fault() -> None:
    """It was blocked for another reason than want of room."""
    draft = struck_again(opened(blocked_since=NOW, faults=5), ROOM)

    assert draft.opened == ()
    assert draft.goes_on
    assert draft.goes_on.blocked


def test_without_room_a_slice_to_be_halved_is_cramped() -> None:
    """It is halved once there is room."""
    draft = struck_again(opened(limit=500, faults=2), replace(ROOM, may_open=False))

    assert draft.goes_on
    assert (draft.goes_on.blocked, draft.goes_on.cramped) == (True, True)


def test_closing_a_slice_keeps_what_is_known_of_it() -> None:
    """The rest is not asked for."""
    piece = opened(cursor=START + 100, blocks=staged(1), furthest=START + 99)

    draft = close(piece)

    assert draft.finished
    assert (draft.finished.start, draft.finished.end) == (START, START + 100)


@pytest.mark.parametrize(
    "piece",
    [
        opened(),
        opened(cursor=START + 100, blocks=staged(1), furthest=START + 200),
        opened(
            mode="opposite",
            cursor=START + 200,
            furthest=START + 250,
            dense=Dense(millisecond=START + 7, cursor=None, probing=True),
        ),
    ],
)
def test_a_slice_of_which_nothing_is_proven_is_dropped(piece: Slice) -> None:
    """It has not begun, or staged records lie beyond its cursor."""
    assert close(piece) == Draft()


@pytest.mark.parametrize(
    ("piece", "kind", "outlook"),
    [
        (opened(limit=500), "transient", ROOM),
        (opened(limit=1500, faults=2), "transient", ROOM),
        (opened(), "unreadable", ROOM),
        (opened(**SECOND), "malformed", ROOM),
        (opened(**SECOND, poisoned=POISONED_FAULTS), "malformed", replace(PAGES, again=True)),
        (opened(limit=500, faults=2), "malformed", ROOM),
        (opened(limit=500, faults=2), "malformed", replace(ROOM, may_open=False)),
        (opened(blocked_since=NOW, faults=5), "malformed", ROOM),
    ],
    ids=["waits", "lighter", "unreadable", "blocked", "doubt", "halved", "cramped", "again"],
)
def test_whatever_a_fault_leads_to_is_reported_with_it(
    piece: Slice, kind: str, outlook: Outlook
) -> None:
    """The report of the run counts it."""
    draft = struck_again(piece, outlook, kind)

    assert draft.fault == Fault(kind=kind, detail="x")  # type: ignore[arg-type]


def test_a_slice_notes_its_fault() -> None:
    """How it came about, how many there were, and how many pages the scan had by then."""
    piece = struck(opened(limit=500), "malformed", 2, replace(ROOM, pages=7)).goes_on

    assert piece
    assert (piece.fault, piece.faults, piece.counts.faults) == ("x", 2, 2)
    assert piece.pages_at_fault == 7


def test_a_finished_slice_remembers_only_what_its_commit_needs() -> None:
    """Neither what it has seen nor its continuation; what was in doubt still is."""
    seen = (Seen(at=START, other=None, identity="a", content="b"),)
    doubt = Doubt(start=START, end=START + 1, reason="odd")
    begun = {"cursor": START + 100_000, "furthest": START + 99_000, "blocks": staged(1)}
    piece = opened(**begun, seen=seen, continuation="{}", doubt=(doubt,), limit=500, faults=2)

    closed, cut = close(piece).finished, struck_again(piece, ROOM, "transient").finished

    assert closed
    assert cut
    for finished in (closed, cut, doubted(piece)):
        assert (finished.slice.seen, finished.slice.continuation) == ((), None)
        assert finished.slice.doubt[0] == doubt


@pytest.mark.parametrize(
    ("changes", "earlier"),
    [({}, ("b",)), ({"cursor": START + 100_000, "furthest": START + 99_000}, ("b", "a"))],
    ids=["whole", "rest"],
)
def test_halves_know_what_earlier_parts_hold(
    changes: dict[str, int], earlier: tuple[str, ...]
) -> None:
    """What is staged becomes a part only if something is proven; else it is asked for again."""
    piece = opened(limit=500, faults=2, unplaced=("a",), earlier=("b",), **changes)

    draft = struck_again(piece, PAGES)

    assert [it.earlier for it in draft.opened] == [earlier, earlier]
    assert [it.pages_at_fault for it in draft.opened] == [1, 1]


def test_a_cramped_slice_that_meets_a_fault_is_halved_if_there_is_room_by_now() -> None:
    """Only the want of room has kept it whole."""
    draft = struck_again(opened(blocked_since=NOW, cramped=True, limit=500, faults=5), ROOM)

    assert [(it.start, it.end) for it in draft.opened] == [
        (START, START + 150_000),
        (START + 150_000, END),
    ]


def test_a_slice_waits_for_whole_milliseconds() -> None:
    """The ledger holds no others."""
    fault = Fault(kind="malformed", detail="x")

    draft = retreat(opened(), fault, ROOM, now=NOW, jitter=1 / 3)

    assert draft.goes_on
    assert isinstance(draft.goes_on.not_before, int)

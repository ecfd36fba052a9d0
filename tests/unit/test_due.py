"""The messages with which the timer hands scans to workers."""

import json

import pytest

from shared.core.errors import UnreadableMessage
from shared.core.model import DAY_MS, HOUR_MS, MINUTE_MS
from shared.due import Due, Tick, decode, messages, tick_of

SLOT = 1_795_694_400_000
"""2026-11-26 12:00:00 UTC."""

TICK = Tick(slot=SLOT, expires=SLOT + 10 * MINUTE_MS, past_due=False)


def status(last: str, next_: str = "2026-11-26T12:00:00+00:00") -> dict[str, str]:
    """Return what the host says about a timer."""
    return {"Last": last, "Next": next_, "LastUpdated": last}


def test_scans_of_one_api_host_are_in_one_message() -> None:
    """So one worker runs them, and they keep to one request budget."""
    scans = [("one", "contoso:443"), ("two", "fabrikam:443"), ("three", "contoso:443")]

    found = [decode(it.encode()) for it in messages(scans, TICK)]

    assert [it.scans for it in found] == [("one", "three"), ("two",)]


def test_a_message_names_scan_and_slot() -> None:
    """This is its whole form; the queue is read by this program only."""
    (message,) = messages([("contoso", "contoso:443")], TICK)

    assert json.loads(message) == {
        "scans": ["contoso"],
        "slot": SLOT,
        "expires": SLOT + 10 * MINUTE_MS,
        "past_due": False,
    }


@pytest.mark.parametrize(
    ("last", "between"),
    [
        ("2026-11-26T11:55:00.0012345+00:00", 5 * MINUTE_MS),
        ("2026-11-26T11:00:00+00:00", HOUR_MS),
        ("2026-11-26T11:59:50+00:00", MINUTE_MS),
        ("2026-11-20T12:00:00+00:00", DAY_MS),
        ("0001-01-01T00:00:00+00:00", DAY_MS),
    ],
    ids=["five minutes", "an hour", "seconds", "after an outage", "the first of all"],
)
def test_a_message_is_valid_for_two_ticks(last: str, between: int) -> None:
    """The time between two ticks is taken from the host, and is a minute to a day."""
    tick = tick_of(status(last), SLOT, past_due=False)

    assert tick.slot == SLOT
    assert tick.expires - SLOT == pytest.approx(2 * between, abs=3)


def test_a_late_tick_is_valid_from_when_it_fired() -> None:
    """Otherwise its messages would have expired before anybody could read them."""
    tick = tick_of(status("2026-11-26T11:55:00+00:00"), SLOT + HOUR_MS, past_due=True)

    assert (tick.slot, tick.expires) == (SLOT, SLOT + HOUR_MS + 10 * MINUTE_MS)


@pytest.mark.parametrize("stated", [None, {}, {"Last": "", "Next": ""}, {"Next": None}])
def test_without_a_record_of_the_timer_messages_are_valid_for_two_minutes(
    stated: dict[str, str] | None,
) -> None:
    """The host keeps none for a timer that fires more than once a minute."""
    tick = tick_of(stated, SLOT, past_due=False)

    assert (tick.slot, tick.expires) == (SLOT, SLOT + 2 * MINUTE_MS)


def test_a_field_of_a_later_version_is_ignored() -> None:
    """Both versions run for a moment while a package is replaced."""
    message = b'{"scans":["all"],"slot":1,"expires":2,"new":{}}'

    assert decode(message) == Due(scans=("all",), slot=1, expires=2)


@pytest.mark.parametrize("message", [b"", b"{", b'{"slot":1}', b'{"scans":"all"}', b"\xff"])
def test_an_unreadable_message_is_named(message: bytes) -> None:
    """The error has the text, the queue, and what follows from it."""
    with pytest.raises(UnreadableMessage, match=r"due-scans cannot be read .* next message asks"):
        decode(message)

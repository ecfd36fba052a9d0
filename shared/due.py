"""The messages with which the timer hands scans to workers, when an app has several scans.

The scans of one API host are in one message, so that one worker runs them one after the other and
they keep to one request budget. Every message may be delivered again, and late: a run that finds
nothing to do, or the scan claimed, changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from shared.core.errors import UnreadableMessage
from shared.core.model import DAY_MS, MINUTE_MS
from shared.core.quoting import instant, quoted

QUEUE = "due-scans"
"""The queue of the messages, in the storage account of the Functions host.

After five failures, the host moves a message into the queue of this name with "-poison" appended.
"""

TICKS = 2
"""For how many times the time between two ticks a message is valid."""


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """One message. A later version may add fields, which this one ignores.

    Attributes:
        scans: the names of the scans, all of one API host.
        slot: when the timer was due, epoch ms.
        expires: from when on newer messages stand for this one, epoch ms.
        past_due: whether the platform started the timer late.
    """

    scans: tuple[str, ...]
    slot: int
    expires: int
    past_due: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One time at which the timer fires; the attributes are those of `Due`."""

    slot: int
    expires: int
    past_due: bool


def tick_of(status: Mapping[str, str] | None, now: int, *, past_due: bool) -> Tick:
    """Return the tick that a timer reports.

    Args:
        status: when the timer was due (`Next`), and when it had fired before (`Last`), as the host
            passes it; None if the host keeps no such record, because the timer fires more than
            once a minute.
        now: epoch ms.
        past_due: whether the platform started the timer late.
    """
    slot, before = _time(status, "Next") or now, _time(status, "Last") or now
    between = min(max(slot - before, MINUTE_MS), DAY_MS)
    return Tick(slot=slot, expires=now + TICKS * between, past_due=past_due)


def _time(status: Mapping[str, str] | None, name: str) -> int | None:
    """Return a time of the status in epoch ms; None if the host does not state it."""
    try:
        return int(datetime.fromisoformat((status or {})[name]).timestamp() * 1000)
    except (KeyError, ValueError, TypeError):
        return None


def messages(scans: Sequence[tuple[str, str]], tick: Tick) -> list[str]:
    """Return one message for each API host, in the order of the first scan of each.

    Args:
        scans: name and API host of every scan.
        tick: when the scans are due.
    """
    hosts: dict[str, list[str]] = {}
    for name, host in scans:
        hosts.setdefault(host, []).append(name)
    found = (
        Due(scans=tuple(names), slot=tick.slot, expires=tick.expires, past_due=tick.past_due)
        for names in hosts.values()
    )
    return [msgspec.json.encode(it).decode() for it in found]


def decode(message: bytes) -> Due:
    """Return what a message says.

    Raises:
        UnreadableMessage: it is not one of these messages.
    """
    try:
        return msgspec.json.decode(message, type=Due)
    except msgspec.DecodeError as error:
        shown = quoted(message)
        raise UnreadableMessage(
            f"a message of the queue {QUEUE} cannot be read ({error}): {shown}. Nothing was done; "
            "the timer's next message asks for the same runs"
        ) from error


def lateness(due: Due) -> str:
    """Return the warning about a message that has expired."""
    return (
        f"the timer's message of {instant(due.slot)} reached a worker after it had expired at "
        f"{instant(due.expires)}: see docs/runbook.md#expired-messages"
    )

"""`announce`: send the messages of existing parts again, for a reader that was connected late."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from shared.core.audit.announcing import Place, concerns, message
from shared.core.errors import NotAnnounced
from shared.core.state import manifest as manifests
from shared.operate.pausing import Display, counted
from shared.ports import ResultArchive

Send = Callable[[str], None]
"""Sends one message. Any exception ends the command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be announced.

    Attributes:
        start: epoch ms; None from the beginning.
        end: epoch ms; None to the end.
        after: number of the last manifest that an earlier call took in; 0 for none.
        most: messages that one call sends.
    """

    start: int | None
    end: int | None
    after: int
    most: int


@dataclass(slots=True)
class Announced:
    """What a call has sent so far.

    Attributes:
        after: number of the last manifest that it took in.
        messages: how many were sent.
        ended: whether it has read the last manifest of the chain.
    """

    after: int
    messages: int = 0
    ended: bool = False

    def __str__(self) -> str:
        """Return a summary, with the option that the next call needs."""
        said = f"{counted(self.messages, 'message', 'messages')} sent, up to manifest {self.after}"
        return said if self.ended else f"{said}; there are more: continue with --after {self.after}"


class Announcer:
    """Reads the manifests in order, and sends a message for each part in the range asked for."""

    def __init__(self, archive: ResultArchive, place: Place, send: Send, display: Display) -> None:
        """Announce this scan's parts."""
        self.archive = archive
        self.place = place
        self.send = send
        self.display = display

    def announce(self, wanted: Wanted) -> Announced:
        """Send at most `wanted.most` messages, in the order of the chain.

        A message counts once it is sent. So whoever continues from the reported number after a
        failure repeats at most one message.

        Raises:
            NotAnnounced: it stopped early; the message says where to continue.
        """
        done = Announced(after=wanted.after)
        try:
            self._announce(wanted, done)
        except Exception as error:
            raise NotAnnounced(
                f"{error}. Sent so far: {counted(done.messages, 'message', 'messages')}; "
                f"continue with --after {done.after}"
            ) from error
        return done

    def _announce(self, wanted: Wanted, done: Announced) -> None:
        while done.messages < wanted.most:
            content = self.archive.manifest(done.after + 1)
            if content is None:
                done.ended = True
                return
            manifest = manifests.decode(content)
            if concerns(manifest, wanted.start, wanted.end):
                self.send(msgspec.json.encode(message(manifest, self.place)).decode())
                done.messages += 1
            done.after += 1
            sent = counted(done.messages, "message", "messages")
            self.display.tick(f"manifest {done.after:,} read, {sent} sent")

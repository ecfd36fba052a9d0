"""The overview: how all scans of an app are, the worst first, as one value made of their statuses.

Nothing about one scan depends on another. A scan about which nothing can be read is in it, too.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from shared import __version__
from shared.core.audit.attention import Attention, shown
from shared.core.audit.status import SILENT_MS, Status, Tone
from shared.core.model import SECOND_MS
from shared.core.quoting import quoted

VERSION = 1

WORST_FIRST: tuple[Tone, ...] = ("bad", "warning", "notice", "good")

MEANINGS: Mapping[Tone, tuple[str, str]] = {
    "bad": ("needs somebody today", "need somebody today"),
    "warning": ("needs somebody", "need somebody"),
    "notice": ("is unusual", "are unusual"),
    "good": ("is well", "are well"),
}
"""What a tone says of one scan, and of several."""

ERROR_MOST = 200
"""Characters of an error in a verdict."""


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """How one scan is, in a row of the overview.

    Attributes:
        scan: the scan's name.
        api: host of the API that it asks, which tells tenants apart.
        tone: how the verdict is meant: `good`, `notice`, `warning` or `bad`.
        verdict: how the scan is, in one sentence; or why that is not known.
        attention: what needs a person, the most severe first.
        lag_seconds: how long the oldest time that is due and not covered has waited; null if that
            is not known.
        delay: age of the newest time that the first pass has read, in seconds; null if that is not
            known.
        now: when its status was made; null if it has none.
        help: the section of the documentation that helps with the verdict; null if `attention`
            says what needs a person.
    """

    scan: str
    api: str
    tone: Tone
    verdict: str
    attention: tuple[Attention, ...] = ()
    lag_seconds: float | None = None
    delay: float | None = None
    now: int | None = None
    help: str | None = None

    def severity(self) -> int:
        """Return the severity of what needs a person most; 4 if nothing does."""
        return 1 if self.help else min((it.severity for it in self.attention), default=4)

    def helps(self) -> tuple[str, ...]:
        """Return the sections that help, each once; the first belongs to what is most severe."""
        found = [self.help] if self.help else []
        return tuple(dict.fromkeys([*found, *(it.help for it in self.attention)]))


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """How all scans of an app are.

    Attributes:
        version: version of this format.
        now: when this was made.
        program: version of the program that made it.
        counts: number of scans by how their verdicts are meant, the worst first.
        scans: the scans, the worst first.
    """

    version: int = VERSION
    now: int
    program: str
    counts: dict[Tone, int]
    scans: tuple[Glance, ...]


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    """As much of a stored status as the overview shows."""

    version: int
    now: int
    tone: Tone
    verdict: str
    attention: tuple[Attention, ...]
    state: dict[str, Any]
    delay: float | None


def overview_of(glances: Iterable[Glance], now: int) -> Overview:
    """Return the overview: by tone, then severity, then lag, then name.

    Args:
        glances: one for each scan, in any order.
        now: epoch ms.
    """
    ordered = tuple(sorted(glances, key=_badness))
    found = Counter(it.tone for it in ordered)
    counts: dict[Tone, int] = {tone: found[tone] for tone in WORST_FIRST}
    return Overview(now=now, program=__version__, counts=counts, scans=ordered)


def _badness(glance: Glance) -> tuple[int, int, float, str]:
    place = WORST_FIRST.index(glance.tone)
    return place, glance.severity(), -(glance.lag_seconds or 0), glance.scan


def glance_of(status: Status, api: str) -> Glance:
    """Return how a scan is at a glance.

    Args:
        status: how it is.
        api: host of the API that it asks.
    """
    return _glance(status, status.scan, api)


def stored_glance(content: bytes | None, scan: str, api: str, *, now: int) -> Glance:
    """Return how a scan is by the status that its runs have stored.

    A status that is old says only that no run writes it any more.

    Args:
        content: the stored status; None if there is none.
        scan: the scan's name.
        api: host of the API that it asks.
        now: epoch ms.
    """
    if content is None:
        said = "No run has written its status yet."
        return Glance(scan=scan, api=api, tone="notice", verdict=said)
    try:
        stored = msgspec.json.decode(content, type=_Stored)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return unread(scan, api, f"it is damaged ({error})", "docs/formats.md#status")
    if stored.version != VERSION:
        return unread(scan, api, f"it has version {stored.version}", "docs/formats.md#versions")
    return _unless_silent(_glance(stored, scan, api), now - stored.now)


def unread(scan: str, api: str, error: str, section: str) -> Glance:
    """Return that nothing is known about a scan.

    Args:
        scan: the scan's name.
        api: host of the API that it asks.
        error: why its status cannot be read.
        section: the section of the documentation that helps.
    """
    said = f"Its status cannot be read: {quoted(error, ERROR_MOST).rstrip('.')}."
    return Glance(scan=scan, api=api, tone="bad", verdict=said, help=section)


def encode(overview: Overview) -> bytes:
    """Return the overview as it is stored: one line of JSON."""
    return msgspec.json.encode(overview) + b"\n"


def counted(overview: Overview) -> Iterator[tuple[Tone, str]]:
    """Yield each tone that a scan has, with a phrase such as `12 need somebody today`."""
    for tone, count in overview.counts.items():
        if count:
            yield tone, f"{count:,} {MEANINGS[tone][count > 1]}"


def _glance(status: Status | _Stored, scan: str, api: str) -> Glance:
    return Glance(
        scan=scan,
        api=api,
        tone=status.tone,
        verdict=status.verdict,
        attention=status.attention,
        lag_seconds=status.state.get("lag_seconds"),
        delay=status.delay,
        now=status.now,
    )


def _unless_silent(glance: Glance, age: int) -> Glance:
    if age <= SILENT_MS:
        return glance
    said = f"No run has written its status for {shown(age / SECOND_MS)}."
    helps = "docs/runbook.md#no-successful-run"
    return msgspec.structs.replace(glance, tone="bad", verdict=said, help=helps)

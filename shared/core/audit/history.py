"""History: a summary of the manifests of the last weeks, hour by hour, built one by one.

It can be deleted at any time: the next runs create it again, and nothing in the protocol reads it.
Whether an hour is final depends on the settings. So history says only when each pass last covered
some of the hour, and whoever shows it derives the rest.
"""

from collections.abc import Callable

import msgspec

from shared.core.intervals import Interval, Intervals, intersect, merge, subtract, total
from shared.core.model import DAY_MS, FIRST_PASS, HOUR_MS, Doubt, Ledger
from shared.core.slices.doubts import few
from shared.core.state import manifest as manifests
from shared.core.state.manifest import Manifest

VERSION = 1

KEPT_MS = 35 * DAY_MS
"""How far history goes back from its newest event hour: five weeks, to compare one with four."""

CLOCKS_MS = DAY_MS
"""How far the times at which manifests were made may be out of order, because clocks differ."""

STRETCHES_KEPT = 20
"""How many stretches in doubt are kept apart for one hour."""

change = msgspec.structs.replace


class Look(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, array_like=True):
    """How far a pass has covered an hour.

    Attributes:
        covered: number of milliseconds of the hour that it has covered.
        at: when it last covered some of the hour.
    """

    covered: int
    at: int


class Hour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the manifests about one hour say.

    Attributes:
        records: number of records stored.
        late: how many of them a sweep stored.
        requests: number of requests sent.
        bytes: size of the parts, compressed.
        manifests: number of manifests.
        passes: for each pass, how far it has covered the hour, and when it last did.
        late_by_pass: for each sweep, the number of records that it stored.
        lateness: number of late records by how late they were (keys as in the ledger).
        doubt: the intervals in doubt.
        lost: the intervals declared lost.
    """

    records: int = 0
    late: int = 0
    requests: int = 0
    bytes: int = 0
    manifests: int = 0
    passes: dict[str, Look] = {}
    late_by_pass: dict[str, int] = {}
    lateness: dict[str, int] = {}
    doubt: Intervals = ()
    lost: Intervals = ()


class History(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the manifests of the last 35 days say, hour by hour.

    Attributes:
        version: version of this format.
        scan: the scan's name.
        first: number of the first manifest that was taken in; 0 if there is none.
        through: number of the last manifest that was taken in; 0 if there is none.
        sha256: SHA-256 of its bytes, in hex; null if there is none.
        made: when it was made; 0 if there is none.
        newest: the newest event hour so far (epoch ms of its start); 0 if there is none. History
            goes back 35 days from it.
        older: number of manifests about older hours, which are counted and not taken in.
        hours: what the manifests say, by UTC hour (epoch ms of its start).
    """

    version: int
    scan: str
    first: int = 0
    through: int = 0
    sha256: str | None = None
    made: int = 0
    newest: int = 0
    older: int = 0
    hours: dict[int, Hour] = {}


_decoder = msgspec.json.Decoder(History)


def encode(history: History) -> bytes:
    """Return the history's bytes; equal histories give equal bytes."""
    return msgspec.json.encode(history) + b"\n"


def decode(content: bytes) -> History | None:
    """Return the history in these bytes; None if it must be created again."""
    try:
        history = _decoder.decode(content)
    except ValueError:  # Also raised for bytes that are not UTF-8.
        return None
    return history if history.version == VERSION else None


def empty(scan: str) -> History:
    """Return the history before the first manifest."""
    return History(version=VERSION, scan=scan)


def fits(history: History, ledger: Ledger) -> bool:
    """Say whether a history may belong to the chain of this ledger."""
    if history.scan != ledger.scan or history.through > ledger.head.number:
        return False
    return history.through < ledger.head.number or history.sha256 == ledger.head.sha256


def taken(history: History, manifest: Manifest, content: bytes) -> History:
    """Return the history with the next manifest, whose bytes these are."""
    after = change(
        history,
        first=history.first or manifest.number,
        through=manifest.number,
        sha256=manifests.digest(content),
        made=manifest.made,
    )
    return after if manifest.decision else _with_slice(after, manifest)


def _with_slice(history: History, manifest: Manifest) -> History:
    """Return the history with what a slice's manifest says about its hour."""
    hour = manifest.bounds[0] // HOUR_MS * HOUR_MS
    newest = max(history.newest, hour)
    after = change(history, newest=newest)
    if hour < newest - KEPT_MS:
        return change(after, older=history.older + 1)
    known = history.hours
    if newest > history.newest:
        known = {at: it for at, it in known.items() if at >= newest - KEPT_MS}
    told = _told(known.get(hour, Hour()), manifest, hour)
    hours = {**known, hour: told}
    if hour not in known:
        hours = dict(sorted(hours.items()))
    return change(after, hours=hours)


def records_per_hour(history: History) -> float:
    """Return how many records an hour of covered time has brought on average; 0 if none is known.

    Only what the first pass has brought counts: sweeps find the rest.
    """
    known = [it for it in history.hours.values() if FIRST_PASS in it.passes]
    covered = sum(it.passes[FIRST_PASS].covered for it in known)
    records = sum(it.records - it.late for it in known)
    return records * HOUR_MS / covered if covered else 0.0


def _told(hour: Hour, manifest: Manifest, start: int) -> Hour:
    part, counts, bounds = manifest.part, manifest.counts, manifest.bounds
    late_by_pass = hour.late_by_pass
    if counts.late and manifest.pass_name:
        late_by_pass = _summed(late_by_pass, {manifest.pass_name: counts.late})
    return Hour(
        records=hour.records + (part.records if part else 0),
        late=hour.late + counts.late,
        requests=hour.requests + manifest.requests.count,
        bytes=hour.bytes + (part.size if part else 0),
        manifests=hour.manifests + 1,
        passes={**hour.passes, **_looks(manifest, start)},
        late_by_pass=late_by_pass,
        lateness=_summed(hour.lateness, manifest.lateness),
        doubt=_doubt(hour.doubt, bounds, manifest.doubt),
        lost=merge((*hour.lost, bounds)) if manifest.lost else hour.lost,
    )


def _looks(manifest: Manifest, start: int) -> dict[str, Look]:
    hour = (start, start + HOUR_MS)
    return {
        name: Look(
            covered=total(intersect(manifest.complete.get(name, ()), hour)), at=manifest.made
        )
        for name in manifest.covers
    }


def _summed(one: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + more.get(name, 0) for name in {**one, **more}}


def _doubt(doubt: Intervals, bounds: Interval, found: tuple[Doubt, ...]) -> Intervals:
    """Return the doubt after a look, which replaces what earlier ones doubted in its bounds."""
    kept = [piece for it in doubt for piece in subtract(it, (bounds,))]
    stretches = [*kept, *((it.start, it.end) for it in found)]
    made = few((Doubt(start=a, end=b, reason="") for a, b in stretches), STRETCHES_KEPT)
    return tuple((it.start, it.end) for it in made)


def reaches_back_to(head: Manifest) -> int:
    """Return a time such that no manifest made before it can be about an hour that is kept.

    A manifest is made after the hour that it is about, and nothing newer is known than what the
    newest manifest says is complete.
    """
    ends = [stretches[-1][1] for stretches in head.complete.values() if stretches]
    newest = max([*([head.end] if head.end else []), *ends], default=head.made)
    return newest - HOUR_MS - KEPT_MS - CLOCKS_MS


def first_made_since(
    instant: int, newest: int, made: Callable[[int], int | None], oldest: int = 1
) -> int:
    """Return the number of the first manifest that was made since then.

    Args:
        instant: epoch ms.
        newest: number of the newest manifest, which was.
        made: when the manifest with a number was made, None where it is gone: some keep only the
            newest ones.
        oldest: the smallest number that is asked for.
    """
    low, high = oldest, newest
    while low < high:
        middle = (low + high) // 2
        at = made(middle)
        if at is None or at < instant:
            low = middle + 1
        else:
            high = middle
    return low

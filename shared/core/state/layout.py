"""Names of all blobs; the only place that knows them (`docs/formats.md`)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.core.intervals import Interval, merge, subtract
from shared.core.model import Slice, StoredPart
from shared.core.passes import look_name

SCAN_LIST = "scans.json"
"""The file that lists the scans of an app, in its state container."""

SCAN_LIST_KEPT = "scans-in-use.json"
"""The last valid version of that file."""


def stamp(instant: int) -> str:
    """Return epoch milliseconds as `20261123T050500000Z`: sorts by time, needs no escaping."""
    whole = _utc(instant)[:19].replace("-", "").replace(":", "")
    return f"{whole}{instant % 1000:03}Z"


def parts_prefix(scan: str) -> str:
    """Return what the names of all parts of a scan begin with."""
    return f"scan={scan}/"


def part_name(scan: str, piece: Slice) -> str:
    """Return the part's name: Hive partitions, then the bounds its slice was opened with."""
    return _part_name(scan, piece.start, piece.end, look_name(piece))


def _part_name(scan: str, start: int, end: int, look: str) -> str:
    return f"{hour_prefix(scan, start)}{stamp(start)}-{stamp(end)}.{look}.jsonl.gz"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartName:
    """What the name of a part says.

    Attributes:
        start: first millisecond of the slice as it was opened.
        end: first millisecond after it.
        look: why it was scanned, as `passes.look_name` says it.
    """

    start: int
    end: int
    look: str


_PART = re.compile(
    r"(?:^|/)([0-9]{8}T[0-9]{6})([0-9]{3})Z-([0-9]{8}T[0-9]{6})([0-9]{3})Z"
    r"\.([a-z0-9-]+)\.jsonl\.gz$"
)


def bounds_in(name: str) -> tuple[int, int]:
    """Return the bounds in a part's name.

    Raises:
        ValueError: it is not the name of a part.
    """
    said = _said_by(name)
    return said.start, said.end


def read_part_name(scan: str, name: str) -> PartName | None:
    """Return what a blob's name says, None unless this scan gives that name to a part."""
    try:
        said = _said_by(name)
    except ValueError:
        return None
    given = _part_name(scan, said.start, said.end, said.look)
    return said if given == name and said.start < said.end else None


def _said_by(name: str) -> PartName:
    found = _PART.search(name)
    if not found:
        raise ValueError(f"{name!r} is not the name of a part")
    first, first_rest, last, last_rest, look = found.groups()
    return PartName(start=_instant(first, first_rest), end=_instant(last, last_rest), look=look)


def stored_parts(scan: str, blobs: Iterable[tuple[str, int]]) -> tuple[StoredPart, ...]:
    """Return the parts among an hour's blobs with what each may hold, from the names alone.

    A part that closed early leaves the rest of its slice to later slices of the same pass, whose
    names lie within its own: the part holds nothing of theirs. Blobs whose names are not those of
    parts are left out.

    Args:
        scan: the scan's name.
        blobs: all blobs of one hour, by name and size.
    """
    found = [(name, size, said) for name, size in blobs if (said := read_part_name(scan, name))]
    bounds: dict[str, list[Interval]] = {}
    for _, _, said in found:
        bounds.setdefault(said.look, []).append((said.start, said.end))
    return tuple(
        StoredPart(name=name, size=size, start=held[0], end=held[1])
        for name, size, said in found
        for held in [_held((said.start, said.end), bounds[said.look])]
    )


def _held(named: Interval, others: list[Interval]) -> Interval:
    """Return what is left of a part's named bounds without the slices that took over the rest."""
    within = [it for it in others if it != named and named[0] <= it[0] and it[1] <= named[1]]
    left = list(subtract(named, merge(within)))
    return (left[0][0], left[-1][1]) if left else named


def _instant(whole: str, rest: str) -> int:
    """Return what `stamp` was made from, by its seconds and the milliseconds behind them."""
    second = datetime.strptime(whole, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    return int(second.timestamp()) * 1000 + int(rest)


def hour_prefix(scan: str, instant: int) -> str:
    """Return what the names of all parts of this instant's UTC hour begin with."""
    hour = _utc(instant)
    return f"{parts_prefix(scan)}date={hour[:10]}/hour={hour[11:13]}/"


_FOLDER = re.compile(r"scan=[a-z0-9-]+(/date=\d{4}-\d\d-\d\d(/hour=\d\d)?)?")


def is_folder(name: str, size: int, metadata: Mapping[str, str]) -> bool:
    """Say whether a listed blob is only a folder.

    An account with a hierarchical namespace lists its folders among the blobs: they are empty and
    their metadata says so. A copy may have lost the metadata, so an empty blob is also a folder
    when its name ends with a slash, or is that of a folder in which this program keeps parts.
    """
    if size:
        return False
    marks = {value.lower() for key, value in metadata.items() if key.lower() == "hdi_isfolder"}
    return "true" in marks or name.endswith("/") or bool(_FOLDER.fullmatch(name))


def manifest_prefix(scan: str) -> str:
    """Return what the names of all manifests of a scan begin with."""
    return f"scan={scan}/"


def manifest_name(scan: str, number: int) -> str:
    """Return the name of the manifest with this number; the first is 1."""
    return f"{manifest_prefix(scan)}{number:011}.json"


def manifest_number(scan: str, name: str) -> int | None:
    """Return the number in a manifest's name, None for the name of anything else."""
    digits = name.removeprefix(manifest_prefix(scan)).removesuffix(".json")
    if not re.fullmatch(r"[0-9]{11,}", digits):
        return None
    number = int(digits)
    return number if number and manifest_name(scan, number) == name else None


def ledger_name(scan: str) -> str:
    """Return the name of the scan's ledger."""
    return f"scan={scan}/ledger.json"


def history_name(scan: str) -> str:
    """Return the name of the scan's history, which is derived from its manifests."""
    return f"scan={scan}/history.json"


def doctor_name(scan: str) -> str:
    """Return the name of what doctor found, when `SCAN_DOCTOR` asked for it."""
    return f"scan={scan}/doctor.json"


def status_name(scan: str, ending: str) -> str:
    """Return the name of the scan's status, as `json` or as the page `html`."""
    return f"scan={scan}/status.{ending}"


def overview_name(ending: str) -> str:
    """Return the name of the overview of an app's scans, as `json` or as the page `html`."""
    return f"overview.{ending}"


def budget_name(host: str) -> str:
    """Return the name of the request budget of an API host, which is given with its port."""
    return f"budgets/{host.removesuffix(':443').replace(':', '_')}.json"


def runs_prefix(scan: str) -> str:
    """Return what the names of all run logs of a scan begin with; they sort by day."""
    return f"scan={scan}/runs/"


def runs_name(scan: str, now: int, volume: int = 1) -> str:
    """Return the name of an append blob that holds the report lines of this UTC day.

    One that is full is followed by the next volume, whose name sorts behind it.
    """
    more = f".more-{volume:02}" if volume > 1 else ""
    return f"{runs_prefix(scan)}{_utc(now)[:10]}{more}.jsonl"


def quarantine_prefix(scan: str) -> str:
    """Return what the names of all blobs that keep answers begin with."""
    return f"scan={scan}/quarantine/"


def quarantine_name(scan: str, slot: int) -> str:
    """Return the name of the blob that keeps an answer that made no sense."""
    return f"{quarantine_prefix(scan)}{slot:02}"


def quarantine_slot(scan: str, name: str) -> int | None:
    """Return the slot in the name of a kept answer, None for the name of anything else."""
    digits = name.removeprefix(quarantine_prefix(scan))
    return int(digits) if re.fullmatch(r"[0-9]{2}", digits) else None


def _utc(instant: int) -> str:
    """Return the second of an instant such as `2026-11-23T05:05:00+00:00`.

    `fromtimestamp` refuses some years on Windows, and `strftime` takes twice as long.
    """
    return (_EPOCH + timedelta(seconds=instant // 1000)).isoformat()


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

"""Names of all blobs; the only place that knows them (`docs/formats.md`)."""

from datetime import UTC, datetime

from shared.core.model import Slice
from shared.core.passes import look_name


def stamp(instant: int) -> str:
    """Return epoch milliseconds as `20261123T050500000Z`: sorts by time, needs no escaping."""
    whole = _utc(instant)
    return f"{whole:%Y%m%dT%H%M%S}{instant % 1000:03}Z"


def parts_prefix(scan: str) -> str:
    """Return what the names of all parts of a scan begin with."""
    return f"scan={scan}/"


def part_name(scan: str, piece: Slice) -> str:
    """Return the part's name: Hive partitions, then the bounds its slice was opened with."""
    bounds = f"{stamp(piece.start)}-{stamp(piece.end)}"
    return f"{hour_prefix(scan, piece.start)}{bounds}.{look_name(piece)}.jsonl.gz"


def bounds_in(name: str) -> tuple[int, int]:
    """Return the bounds in a part's name.

    Raises:
        ValueError: it is no part's name.
    """
    stamps, _, _ = name.rpartition("/")[2].partition(".")
    first, _, last = stamps.partition("-")
    return _instant(first), _instant(last)


def _instant(text: str) -> int:
    """Return what `stamp` was made from."""
    whole = datetime.strptime(text[:-4], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    return int(whole.timestamp()) * 1000 + int(text[-4:-1])


def hour_prefix(scan: str, instant: int) -> str:
    """Return what the names of all parts of this instant's UTC hour begin with."""
    hour = _utc(instant)
    return f"{parts_prefix(scan)}date={hour:%Y-%m-%d}/hour={hour:%H}/"


def manifest_prefix(scan: str) -> str:
    """Return what the names of all manifests of a scan begin with."""
    return f"scan={scan}/"


def manifest_name(scan: str, number: int) -> str:
    """Return the name of the manifest with this number; the first is 1."""
    return f"{manifest_prefix(scan)}{number:011}.json"


def ledger_name(scan: str) -> str:
    """Return the name of the scan's ledger."""
    return f"scan={scan}/ledger.json"


def runs_name(scan: str, now: int) -> str:
    """Return the name of the append blob that holds the report lines of this UTC day."""
    return f"scan={scan}/runs/{_utc(now):%Y-%m-%d}.jsonl"


def quarantine_name(scan: str, slot: int) -> str:
    """Return the name of the blob that keeps an answer that made no sense."""
    return f"scan={scan}/quarantine/{slot:02}"


def block_id(epoch: int, number: int, sha256: str) -> str:
    """Return a block id of fixed width, as one blob's block ids must be.

    The epoch keeps two writers apart, the digest two contents of one writer.
    """
    return f"{epoch:08}-{number:06}-{sha256[:16]}"


def _utc(instant: int) -> datetime:
    return datetime.fromtimestamp(instant // 1000, UTC)

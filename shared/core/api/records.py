"""A record: one activity, from the bytes that the API sent to the line that a part holds.

A record is kept byte for byte: it is sliced out of the body and never encoded again. There are two
exceptions. Raw newlines between tokens are removed, because a part has one record per line; every
string and number keeps its bytes. A record that a strict JSON reader would refuse is *wrapped*, so
that it does not cost the reader the whole file (`docs/formats.md`, irregular records).
"""

import base64
import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec
from isal import isal_zlib

from shared.core.api.positions import position
from shared.core.api.strictness import has_large_number, may_be_large, repeats_a_key
from shared.core.model import Axis

WRAPPED = "irregular"
"""The field that holds the bytes of an irregular record; no other line has a field of this name."""

_WRAPPER = {"_id", "timestamp", "created", WRAPPED}


class Malformed(Exception):
    """The bytes are not what they should be: a page, a block or a part. The message says why."""


IdentifiedBy = tuple[str, int, int] | bytes
"""`_id`, `timestamp` and `created`, or all bytes that the API sent where one of them is missing."""


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One activity.

    Attributes:
        raw: as stored, without the newline. Where possible it is a view into the page's body, so
            that a page is in memory only once.
        id: `_id`, None where it is missing or not a string.
        timestamp: event time, None where it is missing or not a position.
        created: ingestion time, None where it is missing or not a position.
        original: the API's bytes if `raw` wraps an irregular record, otherwise None.
    """

    raw: bytes | msgspec.Raw
    id: str | None
    timestamp: int | None
    created: int | None
    original: bytes | None = None

    @property
    def line(self) -> bytes:
        """The bytes as stored, without the newline."""
        return bytes(self.raw)

    def on(self, axis: Axis) -> int | None:
        """Return the record's position on the axis, None where it has none."""
        return self.timestamp if axis == "date" else self.created

    @property
    def identified_by(self) -> IdentifiedBy:
        """What identifies the record: it is compared on one page, and never stored."""
        if self.id is None or self.timestamp is None or self.created is None:
            return bytes(self.original or self.raw)
        return self.id, self.timestamp, self.created

    @property
    def identity(self) -> str:
        """Digest of what identifies the record."""
        known_by = self.identified_by
        if isinstance(known_by, bytes):
            return _digest(known_by)
        return _digest("\x1f".join(map(str, known_by)).encode("utf-8", "surrogatepass"))

    @property
    def content(self) -> str:
        """Digest of the line as stored."""
        return _digest(self.raw)

    @property
    def checksum(self) -> int:
        """CRC-32 of the line as stored: enough to count changed lines, and nothing else."""
        return isal_zlib.crc32(self.raw)


def _digest(content: bytes | msgspec.Raw) -> str:
    """Return 128 bits: no two records of a slice will ever share them by accident."""
    return blake2b(content, digest_size=16).hexdigest()


def read_record(raw: msgspec.Raw, indented: bool) -> Record:  # noqa: FBT001 - `pages` calls it for every record
    """Read a record out of the body of a page.

    Args:
        raw: an item of `data`.
        indented: whether the body has newlines.

    Raises:
        Malformed: the item is not an object.
    """
    line = bytes(raw)
    _require_object(line)
    stored: bytes | msgspec.Raw = raw
    try:
        if indented and (b"\n" in line or b"\r" in line):
            stored = line = bytes(msgspec.json.format(line, indent=-1))
        members = _members_of.decode(line)
        if _is_irregular(line, members):
            return _wrapped(bytes(raw))
        name = _name(members)
    except (ValueError, RecursionError):
        return _wrapped(bytes(raw))
    return Record(
        raw=stored,
        id=name,
        timestamp=position(members.get("timestamp")),
        created=position(members.get("created")),
    )


def _require_object(line: bytes) -> None:
    if not line.startswith(b"{"):
        raise Malformed(f"data holds {line[:20]!r} where a record is expected")


def _is_irregular(line: bytes, members: Mapping[str, msgspec.Raw]) -> bool:
    """Say whether to wrap a record; bytes that are not UTF-8 raise UnicodeDecodeError."""
    return (
        (not line.isascii() and not line.decode("utf-8"))
        or WRAPPED in members
        or repeats_a_key(line, members)
        or (may_be_large(line) and has_large_number(line))
    )


def _name(members: Mapping[str, msgspec.Raw]) -> str | None:
    raw = members.get("_id")
    name = None if raw is None else msgspec.json.decode(raw)
    return name if isinstance(name, str) else None


def _wrapped(raw: bytes) -> Record:
    """Wrap an irregular record: the fields that identify it, and its bytes in base64."""
    try:
        fields = _as_written.decode(raw.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):  # Such as nesting that is too deep.
        fields = {}
    name = fields.get("_id")
    known = name if type(name) is str and _is_encodable(name) else None
    timestamp, created = _placed(fields.get("timestamp")), _placed(fields.get("created"))
    wrapper = {
        "_id": known,
        "timestamp": timestamp,
        "created": created,
        WRAPPED: base64.b64encode(raw).decode("ascii"),
    }
    return Record(
        raw=msgspec.json.encode(wrapper),
        id=known,
        timestamp=timestamp,
        created=created,
        original=raw,
    )


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


class _Number(str):
    """A JSON number as it is written."""

    __slots__ = ()


def _placed(value: object) -> int | None:
    return position(value.encode()) if isinstance(value, _Number) else None


class _StoredFields(msgspec.Struct):
    """The fields of a stored line that the scan uses; their types may be anything."""

    id: Any = msgspec.field(default=None, name="_id")
    timestamp: msgspec.Raw = msgspec.Raw(b"null")
    created: msgspec.Raw = msgspec.Raw(b"null")
    irregular: msgspec.Raw = msgspec.Raw()


def read_line(line: bytes) -> Record:
    """Read a record back from a line of a part.

    Raises:
        Malformed: the line is not a record.
    """
    try:
        fields = _stored_fields.decode(line)
        original = _unwrapped(line) if len(fields.irregular) else None
    except (ValueError, RecursionError) as error:
        raise Malformed(f"one of its lines is not a record ({error})") from error
    return Record(
        raw=line,
        id=fields.id if isinstance(fields.id, str) else None,
        timestamp=position(fields.timestamp),
        created=position(fields.created),
        original=original,
    )


def _unwrapped(line: bytes) -> bytes | None:
    """Return the bytes that a line wraps, None for a record that only looks like a wrapper.

    A wrapper has exactly four fields. This program wraps any record that has a field `irregular`
    of its own, so another program wrote a line with that field and others; it is kept as it is.
    """
    members = _members_of.decode(line)
    if members.keys() != _WRAPPER:
        return None
    return base64.b64decode(msgspec.json.decode(members[WRAPPED], type=str), validate=True)


_stored_fields = msgspec.json.Decoder(_StoredFields)
_members_of = msgspec.json.Decoder(dict[str, msgspec.Raw])
_as_written = json.JSONDecoder(strict=False, parse_int=_Number, parse_float=_Number)

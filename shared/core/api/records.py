"""From a response body to records, from records to the blocks of a part, and back.

A record is kept byte for byte as the API sent it: records are sliced out of the body and never
re-encoded. Two exceptions keep one strange record from costing a page or blinding a reader:
raw newlines between tokens are removed (every string and number keeps its bytes), and a record
that a strict JSON reader would refuse is wrapped (`docs/formats.md`, irregular records).
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b, sha256
from typing import Any

import msgspec

from shared.core.api.block_ids import BLOCK_DIGITS, block_id
from shared.core.api.packing import (
    Sum,
    Unpackable,
    pack,
    pack_trailer,
    sum_of,
    unpack,
    unpack_block,
)
from shared.core.api.positions import position
from shared.core.api.strictness import LONGEST, has_large_number, may_be_large, repeats_a_key
from shared.core.model import Axis, Block, Span

NULL = b"null"
"""An item of `data` that should be a record."""


class Malformed(Exception):
    """The body is not a page; the message says why."""


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One activity.

    Attributes:
        raw: as stored, without the newline; where it can be, a view into the page's body, so that
            a page is in memory once.
        id: `_id`, None where it is missing or not a string.
        timestamp: event time, None where it is missing or not a position.
        created: ingestion time, None where it is missing or not a position.
        original: the API's bytes when `line` wraps an irregular record, else None.
    """

    raw: bytes | msgspec.Raw
    id: str | None
    timestamp: int | None
    created: int | None
    original: bytes | None = None

    @property
    def line(self) -> bytes:
        """Return the bytes as stored, without the newline."""
        return bytes(self.raw)

    def on(self, axis: Axis) -> int | None:
        """Return the record's own position on the axis."""
        return self.timestamp if axis == "date" else self.created

    @property
    def identity(self) -> str:
        """Digest of `_id`, `timestamp` and `created`; of the bytes where one is missing."""
        if self.id is None or self.timestamp is None or self.created is None:
            return _digest(self.original or self.raw)
        named = f"{self.id}\x1f{self.timestamp}\x1f{self.created}"
        return _digest(named.encode("utf-8", "surrogatepass"))

    @property
    def content(self) -> str:
        """Digest of the line as stored."""
        return _digest(self.raw)


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A well-formed scan answer.

    Attributes:
        records: in the API's order, without the nulls.
        nulls: for each null among the records, how many records come before it.
        bare: whether there is no `data`, rather than an empty list.
        has_next: whether the API says that there is more.
        continuation: `nextQueryFilters` verbatim, None when absent.
        total: the API's estimate, None when absent or no number.
    """

    records: tuple[Record, ...]
    nulls: tuple[int, ...] = ()
    bare: bool = False
    has_next: bool
    continuation: str | None
    total: int | None


class _Envelope(msgspec.Struct):
    """The answer's outer object; every field may be missing or wrong in practice."""

    data: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET
    hasNext: bool | None = None  # noqa: N815 - the API's name
    nextQueryFilters: msgspec.Raw = msgspec.Raw(b"null")  # noqa: N815 - the API's name
    total: Any = None


class _StoredFields(msgspec.Struct):
    """The fields of a stored line that the scan looks at, of whatever type they are."""

    id: Any = msgspec.field(default=None, name="_id")
    timestamp: msgspec.Raw = msgspec.Raw(b"null")
    created: msgspec.Raw = msgspec.Raw(b"null")
    irregular: msgspec.Raw = msgspec.Raw()


WRAPPED = "irregular"
"""The field that holds the bytes of an irregular record; no other line has a field of this name."""

_WRAPPER = {"_id", "timestamp", "created", WRAPPED}

_stored_fields = msgspec.json.Decoder(_StoredFields)
_envelopes = msgspec.json.Decoder(_Envelope)
_members_of = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_page(body: bytes) -> Page:
    """Slice a response body into records.

    Raises:
        Malformed: it is not a JSON object with a `data` list of objects and a boolean `hasNext`,
            or it promises more without saying how to go on. An empty page may lack `data`.
    """
    try:
        envelope, read = _envelopes.decode(body), _regular
    except (ValueError, RecursionError):  # The former for bytes that are not UTF-8, too.
        envelope, read = _decode_leniently(body), _guarded
    if not isinstance(envelope.data, list) and not _is_empty(envelope):
        raise Malformed("the answer has no data")
    if envelope.hasNext is None:
        raise Malformed("the answer does not say hasNext")
    if not envelope.data:
        _require_text(body)
    continuation = _continuation(bytes(envelope.nextQueryFilters))
    if envelope.hasNext and continuation is None:
        raise Malformed("the answer says hasNext and has no nextQueryFilters")
    pretty = b"\n" in body or b"\r" in body
    records: list[Record] = []
    nulls: list[int] = []
    for raw in envelope.data if isinstance(envelope.data, list) else ():
        if len(raw) == len(NULL) and bytes(raw) == NULL:
            nulls.append(len(records))
        else:
            records.append(read(raw, pretty))
    return Page(
        records=tuple(records),
        nulls=tuple(nulls),
        bare=not isinstance(envelope.data, list),
        has_next=envelope.hasNext,
        continuation=continuation,
        total=_count(envelope.total),
    )


def _require_text(body: bytes) -> None:
    """Refuse an empty answer with bytes that are not UTF-8: its `data` may be what they damaged."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"the answer is not UTF-8 ({error.reason})") from error


def _is_empty(envelope: _Envelope) -> bool:
    """Say whether an answer without `data` is an empty page: it must say whether there is more.

    A null in its place needs a `total` besides, since no list is promised to be written so. What
    `total` and the continuation say is then judged as on every empty page.
    """
    counts = _count(envelope.total) is not None
    missing = envelope.data is msgspec.UNSET and envelope.total is None
    return envelope.hasNext is not None and (counts or missing)


def _count(total: object) -> int | None:
    """Return `total` as a whole number, however it is written; None where it is anything else."""
    if isinstance(total, float) and total.is_integer():
        return int(total)
    return total if type(total) is int else None


def encode_block(records: Iterable[Record], *, epoch: int, number: int) -> tuple[Block, bytes]:
    """Return the block of these records and its bytes; number 0 opens its part.

    Deterministic: the same records give the same bytes.
    """
    kept = list(records)
    content, total = pack((record.raw for record in kept), opens_part=number == 0)
    digest = sha256(content).hexdigest()
    block = _block(block_id(epoch, number, digest), digest, len(content), total, kept)
    return block, content


def encode_trailer(blocks: Sequence[Block], *, epoch: int) -> tuple[Block, bytes]:
    """Return the last block of the part that begins with `blocks`, and its bytes."""
    content = trailer_of(blocks)
    digest = sha256(content).hexdigest()
    name = block_id(epoch, len(blocks), digest)
    return _block(name, digest, len(content), Sum(), ()), content


def trailer_of(blocks: Iterable[Block]) -> bytes:
    """Return the bytes that end a part after these blocks."""
    return pack_trailer(Sum(block.raw, block.crc32) for block in blocks)


def read_block(name: str, content: bytes, *, number: int) -> Block:
    """Return the block that was committed under this id with these bytes.

    Raises:
        Malformed: the bytes are not those that the id was made of, or are not a block.
    """
    digest = sha256(content).hexdigest()
    if name[-BLOCK_DIGITS:] != digest[:BLOCK_DIGITS]:
        raise Malformed(f"block {number} ({name}) has other bytes than its id says")
    try:
        lines = unpack_block(content, opens_part=number == 0)
    except Unpackable as error:
        raise Malformed(f"block {number} ({name}): {error}") from error
    records = [_stored(line) for line in lines.split(b"\n")[:-1]]
    return _block(name, digest, len(content), sum_of(lines), records)


def _block(name: str, digest: str, size: int, total: Sum, records: Sequence[Record]) -> Block:
    return Block(
        id=name,
        size=size,
        records=len(records),
        sha256=digest,
        raw=total.length,
        crc32=total.crc32,
        timestamp=span(record.timestamp for record in records),
        created=span(record.created for record in records),
    )


def stored_records(part: bytes) -> Iterator[Record]:
    """Yield the records of a part, in order, unpacking about 1 MB at a time.

    Use what was yielded only once the iterator has ended: the part's checksum comes last.

    Raises:
        Malformed: it is not a part: damaged, or written by something else.
    """
    rest = b""
    try:
        for content in unpack(part):
            *lines, rest = (rest + content).split(b"\n")
            for line in lines:
                yield _stored(line)
    except Unpackable as error:
        raise Malformed(str(error)) from error
    if rest:
        raise Malformed("it ends in the middle of a line")


def _stored(line: bytes) -> Record:
    try:
        fields = _stored_fields.decode(line)
        original = _unwrapped(line) if len(fields.irregular) else None
    except (ValueError, RecursionError) as error:
        raise Malformed(f"a line of it is no record ({error})") from error
    return Record(
        raw=line,
        id=fields.id if isinstance(fields.id, str) else None,
        timestamp=position(fields.timestamp),
        created=position(fields.created),
        original=original,
    )


def _unwrapped(line: bytes) -> bytes | None:
    """Return the bytes that a line wraps, None where it is a record that only looks like it.

    A wrapper has exactly four fields. A record of the API's own that has a field `irregular` is
    wrapped when it is stored, so a line like that was written by something else, and is kept.
    """
    members = _members_of.decode(line)
    if members.keys() != _WRAPPER:
        return None
    return base64.b64decode(msgspec.json.decode(members[WRAPPED], type=str), validate=True)


def span(values: Iterable[int | None]) -> Span | None:
    """Return the smallest and the largest value, None when there is none."""
    known = [value for value in values if value is not None]
    return (min(known), max(known)) if known else None


def _continuation(raw: bytes) -> str | None:
    if raw == b"null":
        return None
    if not raw.startswith(b"{"):
        raise Malformed("nextQueryFilters is no object")
    try:
        msgspec.json.decode(raw)
        return raw.decode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Malformed(f"nextQueryFilters cannot be read ({error})") from error


def _regular(raw: msgspec.Raw, pretty: bool) -> Record:  # noqa: FBT001 - private, one caller
    """Read a record out of a body that the fast decoder accepts."""
    line = bytes(raw)
    if not line.startswith(b"{"):
        raise Malformed(f"data holds {line[:20]!r} where a record is expected")
    stored: bytes | msgspec.Raw = raw
    try:
        if pretty and (b"\n" in line or b"\r" in line):
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


def _is_irregular(line: bytes, members: Mapping[str, msgspec.Raw]) -> bool:
    """Say whether a record is one; bytes that are not UTF-8 raise UnicodeDecodeError."""
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


def _guarded(raw: msgspec.Raw, pretty: bool) -> Record:  # noqa: FBT001 - private, one caller
    """Read a record out of a body that holds something the fast decoder refuses."""
    try:
        msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return _wrapped(bytes(raw))
    return _regular(raw, pretty)


def _wrapped(raw: bytes) -> Record:
    """Wrap an irregular record: its identifying fields, and its bytes in base64."""
    if not raw.startswith(b"{"):
        raise Malformed(f"data holds {raw[:20]!r} where a record is expected")
    try:
        fields = _as_written.decode(raw.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):  # Such as nesting that is too deep.
        fields = {}
    name = fields.get("_id")
    known = name if type(name) is str and _encodable(name) else None
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


def _encodable(text: str) -> bool:
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


def _decode_leniently(body: bytes) -> _Envelope:
    """Slice a body that the fast decoder refuses: lone surrogates, NaN, raw control characters.

    About twelve times slower; offsets in the text are offsets in the bytes' surrogate-escaped
    form, so every record keeps its bytes.
    """
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    try:
        return _read_leniently(text)
    except (ValueError, RecursionError) as error:
        beginning = text[:80].encode("ascii", "backslashreplace").decode("ascii")
        raise Malformed(f"the answer is no JSON ({error}); it begins {beginning!r}") from error


def _read_leniently(text: str) -> _Envelope:
    envelope = _lenient.decode(text)
    if not isinstance(envelope, dict):
        raise Malformed("the answer is no JSON object")
    data, has_next = envelope.get("data"), envelope.get("hasNext")
    if data is not None and not isinstance(data, list):
        raise Malformed("the answer's data is not a list")
    spans = dict(_members(text))
    _require_text_around(text, spans.get("data"))
    return _Envelope(
        data=_items(text, spans["data"]) if "data" in spans else msgspec.UNSET,
        hasNext=has_next if isinstance(has_next, bool) else None,
        nextQueryFilters=msgspec.Raw(_bytes(text, spans.get("nextQueryFilters"))),
        total=envelope.get("total"),
    )


def _require_text_around(text: str, data: tuple[int, int] | None) -> None:
    """Refuse bytes that are not UTF-8 outside of the records: no bound there can be trusted."""
    start, end = data or (0, 0)
    try:
        (text[:start] + text[end:]).encode("utf-8")
    except UnicodeEncodeError as error:
        raise Malformed("the answer is not UTF-8 around its records") from error


def _whole(text: str) -> int | None:
    """Return a whole number that a page may count with; Python refuses those of many digits."""
    return int(text) if len(text) <= LONGEST else None


_lenient = json.JSONDecoder(strict=False, parse_int=_whole)
_as_written = json.JSONDecoder(strict=False, parse_int=_Number, parse_float=_Number)


def _members(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield each key of the outer object with the offsets of its value."""
    at = _skip_space(text, _skip_space(text, 0) + 1)
    while text[at] != "}":
        key, end = _lenient.raw_decode(text, at)
        at = _skip_space(text, _skip_space(text, end) + 1)
        _, end = _lenient.raw_decode(text, at)
        yield key, (at, end)
        at = _after_comma(text, end)


def _items(text: str, span: tuple[int, int]) -> list[msgspec.Raw] | None:
    if text.startswith("null", span[0]):
        return None
    return [msgspec.Raw(raw) for raw in _elements(text, span)]


def _elements(text: str, span: tuple[int, int]) -> Iterator[bytes]:
    """Yield the bytes of each element of the list at these offsets."""
    at = _skip_space(text, span[0] + 1)
    while text[at] != "]":
        _, end = _lenient.raw_decode(text, at)
        yield _bytes(text, (at, end))
        at = _after_comma(text, end)


def _bytes(text: str, span: tuple[int, int] | None) -> bytes:
    return b"null" if span is None else text[slice(*span)].encode("utf-8", "surrogateescape")


def _after_comma(text: str, at: int) -> int:
    at = _skip_space(text, at)
    return _skip_space(text, at + 1) if text[at] == "," else at


def _skip_space(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at


def _digest(content: bytes | msgspec.Raw) -> str:
    """128 bits: by accident, no two of a slice's records will ever share them."""
    return blake2b(content, digest_size=16).hexdigest()

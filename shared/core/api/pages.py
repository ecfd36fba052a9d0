"""From the body of an answer to a page of records."""

import msgspec

from shared.core.api import envelopes, lenient
from shared.core.api.records import Malformed, Record, read_record

NULL = b"null"
"""An item of `data` where a record should be."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A well-formed answer to a scan's query.

    Attributes:
        records: in the API's order, without the nulls.
        nulls: for each null among the records, how many records come before it.
        bare: whether `data` is missing or null, rather than an empty list.
        has_next: whether the API says that there is more.
        continuation: `nextQueryFilters` verbatim, None when absent.
        total: the API's estimate, None when absent or not a number.
    """

    records: tuple[Record, ...]
    nulls: tuple[int, ...] = ()
    bare: bool = False
    has_next: bool
    continuation: str | None
    total: int | None

    @property
    def hides_activities(self) -> bool:
        """Whether the page is empty although it counts activities; ignore a negative count."""
        return not self.records and not self.nulls and (self.total or 0) > 0


def read_page(body: bytes) -> Page:
    """Slice a response body into records.

    Raises:
        Malformed: it is not a JSON object with a `data` list of objects and a boolean `hasNext`,
            or it promises more without saying how to continue. An empty page may lack `data`.
    """
    try:
        envelope = envelopes.decode(body)
    except (ValueError, RecursionError):  # Bytes that are not UTF-8 raise ValueError, too.
        envelope = lenient.decode(body)
    if not envelope.is_page:
        raise Malformed("the answer has no data")
    if envelope.hasNext is None:
        raise Malformed("the answer does not say hasNext")
    if not envelope.items:
        _require_utf8(body)
    continuation = _continuation(bytes(envelope.nextQueryFilters))
    if envelope.hasNext and continuation is None:
        raise Malformed("the answer says hasNext and has no nextQueryFilters")
    indented = b"\n" in body or b"\r" in body
    records: list[Record] = []
    nulls: list[int] = []
    for raw in envelope.items:
        if len(raw) == len(NULL) and bytes(raw) == NULL:
            nulls.append(len(records))
        else:
            records.append(read_record(raw, indented))
    return Page(
        records=tuple(records),
        nulls=tuple(nulls),
        bare=envelope.is_bare,
        has_next=envelope.hasNext,
        continuation=continuation,
        total=envelope.count,
    )


def _require_utf8(body: bytes) -> None:
    """Refuse an empty answer that is not UTF-8: the damage may have hit the name `data`."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"the answer is not UTF-8 ({error.reason})") from error


def _continuation(raw: bytes) -> str | None:
    if raw == NULL:
        return None
    if not raw.startswith(b"{"):
        raise Malformed("nextQueryFilters is not an object")
    try:
        msgspec.json.decode(raw)
        return raw.decode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Malformed(f"nextQueryFilters cannot be read ({error})") from error

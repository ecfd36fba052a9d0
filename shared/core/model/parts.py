"""What a part may hold, and what storage shows of it."""

from dataclasses import dataclass

PART_PAGES = 16
"""A part closes early at this many pages: 20 to 55 MB compressed, which suits readers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """A committed part, as the names in its hour describe it.

    Attributes:
        name: within the data container.
        size: bytes, compressed.
        start: first millisecond of which it may hold records.
        end: first millisecond after it.
    """

    name: str
    size: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartBlob:
    """A blob where parts are, whoever wrote it.

    Attributes:
        name: within the data container.
        size: bytes.
        metadata: as stored. The commit of a part sets it, a copy may have lost it, and nothing
            but a check reads it.
    """

    name: str
    size: int
    metadata: dict[str, str]

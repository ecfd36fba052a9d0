"""What storage shows of a part."""

from dataclasses import dataclass


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

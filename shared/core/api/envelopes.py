"""The outer object of an answer, with its records still as bytes."""

from typing import Any

import msgspec


class Envelope(msgspec.Struct):
    """The outer object; in practice, every field may be missing or wrong."""

    data: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET
    hasNext: bool | None = None  # noqa: N815 - the API's name
    nextQueryFilters: msgspec.Raw = msgspec.Raw(b"null")  # noqa: N815 - the API's name
    total: Any = None

    @property
    def items(self) -> list[msgspec.Raw]:
        """The items of `data`; none where `data` is missing or null."""
        return self.data or []

    @property
    def is_bare(self) -> bool:
        """Whether `data` is missing or null, rather than an empty list."""
        return not isinstance(self.data, list)

    @property
    def is_page(self) -> bool:
        """Whether this is a page; without `data` it must at least say whether there is more.

        If `data` is null, `total` must be a number, too: the API never documents such a list. What
        `total` and the continuation say is then judged as on any empty page.
        """
        counts = self.count is not None
        missing = self.data is msgspec.UNSET and self.total is None
        return not self.is_bare or (self.hasNext is not None and (counts or missing))

    @property
    def count(self) -> int | None:
        """`total` as a whole number, in any notation; None where it is anything else."""
        if isinstance(self.total, float) and self.total.is_integer():
            return int(self.total)
        return self.total if type(self.total) is int else None


decode = msgspec.json.Decoder(Envelope).decode
"""Fast and strict: raises ValueError or RecursionError where any record is not strict JSON."""

"""Tables in Markdown, and the places between two markers where a document holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of a document.

    Attributes:
        title: the heading above the table.
        head: the headings of its columns.
        rows: the cells of its rows.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        """Return the heading and the table as Markdown."""
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        drawn = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        return f"### {self.title}\n\n{drawn}"


def replaced(document: str, opening: str, closing: str, new: str) -> str:
    """Return a document with new text between two markers.

    Raises:
        ValueError: a marker is missing.
    """
    before, found_opening, rest = document.partition(opening)
    _, found_closing, after = rest.partition(closing)
    if not found_opening or not found_closing:
        message = f"the document lacks the marker {opening!r} or {closing!r}: put both back"
        raise ValueError(message)
    return f"{before}{opening}\n\n{new.strip()}\n\n{closing}{after}"

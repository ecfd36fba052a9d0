"""What sentences quote: text from outside as one short, printable line, and times.

The text goes into the ledger, the report line and blob metadata. A lone surrogate cannot be saved
as UTF-8, and a line break would forge a header or a line of the log.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

QUOTED_MOST = 200
"""How many characters are quoted: enough to recognise an error, and short enough for any log."""

LISTED_MOST = 10
"""How many names a sentence lists."""

_READ_PER_CHARACTER = 20
"""How many characters are read for each one that is quoted, because white space is dropped."""


def quoted(text: str | bytes, most: int = QUOTED_MOST) -> str:
    """Return the beginning of a text on one line; unprintable characters are escaped."""
    beginning = text[: most * _READ_PER_CHARACTER]
    if isinstance(beginning, bytes):
        beginning = beginning.decode("utf-8", "replace")
    line = " ".join(beginning.split())
    return "".join(it if it.isprintable() else _escaped(it) for it in line)[:most]


def instant(milliseconds: int) -> str:
    """Return epoch milliseconds in plain words, in UTC to the second."""
    return f"{datetime.fromtimestamp(milliseconds // 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def ascii_quoted(text: str, most: int = 500) -> str:
    """Return a quotation in ASCII, as blob metadata require."""
    return quoted(text, most).encode("ascii", "backslashreplace").decode()[:most]


def listed(names: Sequence[str], most: int = LISTED_MOST) -> str:
    """Return names as a list of words; of many, the first few and how many more there are."""
    more = len(names) - most
    told = ", ".join(names[:most])
    return f"{told} and {more:,} more" if more > 0 else told


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()

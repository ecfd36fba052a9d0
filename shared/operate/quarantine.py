"""`quarantine list` and `quarantine show`: the answers that made no sense."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from shared.core.quoting import instant, quoted
from shared.ports import KeptAnswer


def lines_of(answers: list[KeptAnswer]) -> Iterator[str]:
    """Yield the kept answers as lines of text."""
    if not answers:
        yield "the quarantine is empty"
    for it in answers:
        yield (
            f"{it.slot:02}  {instant(it.kept)}  {it.size:,} bytes  {quoted(it.slice) or 'no slice'}"
            f"  {quoted(it.fault) or 'no reason is kept'}"
        )


def as_json(answer: KeptAnswer, content: bytes | None = None) -> dict[str, Any]:
    """Return a kept answer as JSON shows it, with its bytes in base64 if they are given."""
    told = asdict(answer)
    return told if content is None else {**told, "base64": b64encode(content).decode()}


def printable(content: bytes) -> str:
    """Return an answer's bytes as text that is safe on a terminal, line by line.

    A control sequence in an answer could move the cursor, or change what the terminal shows.
    """
    text = content.decode("utf-8", "backslashreplace")
    return "".join(it if it.isprintable() or it == "\n" else _escaped(it) for it in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()

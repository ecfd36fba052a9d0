"""Repeatable chance: every draw is a digest of a seed, a label and a number.

Draws depend on nothing else, so they are the same in every process, thread and Python version, and
any single draw can be repeated without those before it.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_Item = TypeVar("_Item")


def digest(seed: int, label: str, number: int, size: int = 64) -> bytes:
    """Return `size` (at most 64) bytes that look random but are always the same."""
    return blake2b(f"{seed}/{label}/{number}".encode(), digest_size=size).digest()


def unit(seed: int, label: str, number: int) -> float:
    """Draw a float from [0, 1)."""
    return int.from_bytes(digest(seed, label, number, 6), "big") / (1 << 48)


def below(bound: int, seed: int, label: str, number: int) -> int:
    """Draw an integer from [0, bound)."""
    return int.from_bytes(digest(seed, label, number, 8), "big") % bound


def pick(items: Sequence[_Item], seed: int, label: str, number: int) -> _Item:
    """Draw one of the items."""
    return items[below(len(items), seed, label, number)]


def shuffled(items: Iterable[_Item], seed: int, label: str) -> list[_Item]:
    """Return the items in an order that the seed and the label decide."""
    numbered = sorted(enumerate(items), key=lambda pair: digest(seed, label, pair[0], 8))
    return [item for _, item in numbered]

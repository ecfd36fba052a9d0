"""The ids of blocks: who staged one, in which order, and the beginning of its digest."""

import re

BLOCK_DIGITS = 16
"""Hexadecimal digits of a block's SHA-256 at the end of its id."""

_BLOCK_ID = re.compile(r"\d{8,}-\d{6,}-[0-9a-f]{16}")


def block_id(epoch: int, number: int, sha256: str) -> str:
    """Return a block id of fixed width, as one blob's block ids must be.

    The epoch keeps two writers apart, the digest two contents of one writer.
    """
    return f"{epoch:08}-{number:06}-{sha256[:BLOCK_DIGITS]}"


def is_block_id(text: str) -> bool:
    """Say whether a scan made this block id."""
    return _BLOCK_ID.fullmatch(text) is not None

"""The ids of blocks: who staged a block, at which place, and the beginning of its digest."""

import re

_DIGITS = 16
"""Hexadecimal digits of a block's SHA-256 at the end of its id."""

_BLOCK_ID = re.compile(rf"\d{{8,}}-\d{{6,}}-[0-9a-f]{{{_DIGITS}}}")


def block_id(epoch: int, number: int, sha256: str) -> str:
    """Return a block id of fixed width, since all block ids of a blob must be equally long.

    The epoch keeps two writers apart, and the digest two contents from one writer.
    """
    return f"{epoch:08}-{number:06}-{sha256[:_DIGITS]}"


def is_block_id(text: str) -> bool:
    """Say whether a scan made this block id."""
    return _BLOCK_ID.fullmatch(text) is not None


def states_digest(name: str, sha256: str) -> bool:
    """Say whether a block id was made for bytes with this digest."""
    return name[-_DIGITS:] == sha256[:_DIGITS]

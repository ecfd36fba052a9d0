"""Where `query` writes: a file that appears when it is complete, or standard output."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from isal import igzip

from shared.core.packing import GZIP_LEVEL
from shared.core.records import Record
from shared.operate.querying import Write

STANDARD_OUTPUT = "-"


@contextmanager
def opened(target: str) -> Iterator[Write]:
    """Provide what writes records as NDJSON.

    A file whose name ends with `.gz`, in either case, is compressed. It is written as
    `partial(target)` and gets its name at the end of the block; an error leaves the partial file
    for a person to look at.

    Raises:
        OSError: it cannot be written.
    """
    if target == STANDARD_OUTPUT:
        yield _lines_to(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    path = partial(target)
    if Path(target).is_dir():
        raise IsADirectoryError(f"{target} is a folder: name a file in it")
    with path.open("wb") as file:
        yield _members_to(file) if target.lower().endswith(".gz") else _lines_to(file)
        file.flush()
        os.fsync(file.fileno())
    path.replace(target)


def partial(target: str) -> Path:
    """Return the name of a file that is not complete."""
    return Path(f"{target}.partial")


def _lines_to(file: BinaryIO) -> Write:
    return lambda records: file.writelines(record.line + b"\n" for record in records)


def _members_to(file: BinaryIO) -> Write:
    """Return what writes each page as a gzip member: together they are one gzip file."""

    def write(records: Iterable[Record]) -> None:
        lines = b"".join(record.line + b"\n" for record in records)
        file.write(bytes(igzip.compress(lines, compresslevel=GZIP_LEVEL, mtime=0)))

    return write

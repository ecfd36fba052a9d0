"""Where `query` writes: to standard output, or to a file that appears once it is complete."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from shared.core.api.packing import HEADER, Sum, pack, pack_trailer
from shared.core.api.records import Record
from shared.operate.querying import Write

STANDARD_OUTPUT = "-"


@contextmanager
def opened(target: str) -> Iterator[Write]:
    """Provide a function that writes records as NDJSON.

    A file whose name ends with `.gz`, in either case, is compressed. It is written as
    `partial(target)` and renamed at the end of the block. After an error, the partial file is kept.

    Raises:
        OSError: the file cannot be written.
    """
    if target == STANDARD_OUTPUT:
        yield _lines_to(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    path = partial(target)
    if Path(target).is_dir():
        raise IsADirectoryError(f"{target} is a folder: name a file in it")
    with path.open("wb") as file:
        if target.lower().endswith(".gz"):
            packed = _Packed(file)
            yield packed.write
            packed.end()
        else:
            yield _lines_to(file)
        file.flush()
        os.fsync(file.fileno())
    path.replace(target)


def partial(target: str) -> Path:
    """Return the name of a target while it is incomplete."""
    return Path(f"{target}.partial")


def _lines_to(file: BinaryIO) -> Write:
    return lambda records: file.writelines(record.line + b"\n" for record in records)


class _Packed:
    """Packs pages into one gzip member, as in parts, because some readers stop after the first."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sums: list[Sum] = []
        file.write(HEADER)

    def write(self, records: Iterable[Record]) -> None:
        """Write a page."""
        content, total = pack((record.raw for record in records), opens_part=False)
        self._file.write(content)
        self._sums.append(total)

    def end(self) -> None:
        """Write the trailer, which completes the file."""
        self._file.write(pack_trailer(self._sums))

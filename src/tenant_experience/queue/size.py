"""Whether a file is small enough for the queue, which is known while its bytes arrive."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

# Of a file, packed or not: it is on a function's disk beside its rows as they were read.
LARGEST_FILE = 1 << 30
_GZIP = 16 + zlib.MAX_WBITS
_BLOCK = 1 << 20
# Lines that are no rows: a header, and what stands before it (at most, as csv.skip_lines may say).
_OTHER_LINES = 1_001


class TooLargeForQueueError(Exception):
    """The file does not go through the queue; the message is the reason in words."""


def too_many(limit: int) -> TooLargeForQueueError:
    """It has more rows than the queue takes."""
    return TooLargeForQueueError(f"the file has more than {limit:,} rows, which is the limit of the queue")


def too_long(limit: int = LARGEST_FILE) -> TooLargeForQueueError:
    """It has more bytes than a function can hold."""
    return TooLargeForQueueError(f"the file has more than {limit:,} bytes, which is the limit of the queue")


@dataclass
class SizeCheck:
    """Counts lines and bytes of a file, unpacked, while its blocks pass.

    Attributes:
        extension: tells whether it is packed, and whether it has rows that are lines.
        rows: the limit of the queue.
        longest: the limit of bytes.
    """

    extension: str
    rows: int
    longest: int = LARGEST_FILE
    _lines: int = 0
    _bytes: int = 0
    _unpack: zlib._Decompress | None = field(default=None, repr=False)

    def passed(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The same blocks, counted.

        Raises:
            TooLargeForQueueError: as soon as it is known.
        """
        for block in blocks:
            for plain in self._unpacked(block) if self.extension.endswith(".gz") else (block,):
                self._count(plain)
            yield block

    def _count(self, plain: bytes) -> None:
        self._bytes += len(plain)
        if self._bytes > self.longest:
            raise too_long(self.longest)
        if not self.extension.startswith((".parquet", ".zip", ".json.gz")) and self.extension != ".json":
            self._lines += plain.count(b"\n")
            if self._lines > self.rows + _OTHER_LINES:
                raise too_many(self.rows)

    def _unpacked(self, block: bytes) -> Iterator[bytes]:
        """What the block unpacks to, a little at a time. A damaged stream is not counted on: its reader refuses it."""
        rest = block
        while rest:
            if self._unpack is None or self._unpack.eof:
                self._unpack = zlib.decompressobj(_GZIP)
            try:
                yield self._unpack.decompress(rest, _BLOCK)
            except zlib.error:
                return
            rest = self._unpack.unconsumed_tail or (self._unpack.unused_data if self._unpack.eof else b"")

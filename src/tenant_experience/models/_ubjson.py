"""Reads the part of UBJSON that XGBoost writes, and refuses everything else.

XGBoost's own reader trusts the lengths in a file, so it can be killed by a damaged one. This reader never looks beyond
the bytes that it was given. Source: the UBJSON specification, draft 12, and XGBoost's ``src/common/json.cc``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_NUMBERS = {b"i": "i1", b"U": "u1", b"I": ">i2", b"l": ">i4", b"L": ">i8", b"d": ">f4", b"D": ">f8"}
_CONSTANTS = {b"T": True, b"F": False, b"Z": None}
_DEEPEST = 32


def read_ubjson(content: bytes) -> Any:
    """The document: objects as dict, texts as str, typed arrays as numpy arrays, other arrays as lists.

    Raises:
        ValueError: the bytes are not one document of this kind, or an object has the same key twice.
    """
    reader = _Reader(content)
    document = reader.value(0)
    if reader.place != len(content):
        raise ValueError(f"{len(content) - reader.place} bytes follow the document")
    return document


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self.place = 0

    def value(self, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ValueError(f"byte {self.place}: more than {_DEEPEST} levels")
        marker = self._take(1)
        if marker == b"{":
            return self._object(depth)
        if marker == b"[":
            return self._array(depth)
        if marker == b"S":
            return self._text()
        if marker in _NUMBERS:
            return self._numbers(_NUMBERS[marker], 1)[0].item()
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        raise ValueError(f"byte {self.place - 1}: {marker!r} begins no value")

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not self._next_is(b"}"):
            key = self._text()
            if key in found:
                raise ValueError(f"byte {self.place}: the key {key[:40]!r} is there twice")
            found[key] = self.value(depth + 1)
        return found

    def _array(self, depth: int) -> Any:
        kind = self._take(1) if self._next_is(b"$") else None
        if kind is not None and kind not in _NUMBERS:
            raise ValueError(f"byte {self.place}: an array of {kind!r}")
        if self._next_is(b"#"):
            count = self._length()
            return self._numbers(_NUMBERS[kind], count) if kind else [self.value(depth + 1) for _ in range(count)]
        if kind:
            raise ValueError(f"byte {self.place}: a typed array without a length")
        items = []
        while not self._next_is(b"]"):
            items.append(self.value(depth + 1))
        return items

    def _text(self) -> str:
        return self._take(self._length()).decode("utf-8")

    def _length(self) -> int:
        if self._take(1) != b"L":
            raise ValueError(f"byte {self.place - 1}: a length must be a 64-bit number")
        length = int.from_bytes(self._take(8), "big")
        if length > len(self._content) - self.place:
            raise ValueError(f"byte {self.place}: a length of {length} leads beyond the end")
        return length

    def _numbers(self, kind: str, count: int) -> Any:
        return np.frombuffer(self._take(count * np.dtype(kind).itemsize), dtype=kind)

    def _next_is(self, marker: bytes) -> bool:
        if self._content[self.place : self.place + 1] != marker:
            return False
        self.place += 1
        return True

    def _take(self, count: int) -> bytes:
        taken = self._content[self.place : self.place + count]
        if len(taken) != count:
            raise ValueError(f"byte {len(self._content)}: the file ends in the middle of a value")
        self.place += count
        return taken

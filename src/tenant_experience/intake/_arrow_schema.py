"""The schema that Arrow keeps in a Parquet file, without Arrow: only which columns are durations.

Parquet has no type for durations. Arrow and pandas write them as whole numbers, and say what they are in a schema of
their own, a FlatBuffers message, which is read here: functions have no room for Arrow's 170 MB.
"""

from __future__ import annotations

import base64
import binascii
import struct

_CONTINUATION = b"\xff\xff\xff\xff"
# Places of fields in Arrow's tables (format/Message.fbs and Schema.fbs), and the number of the type Duration.
_HEADER, _FIELDS, _NAME, _TYPE = 2, 1, 0, 2
_DURATION = 18


def durations(schema: bytes) -> set[str]:
    """The names of the durations among the columns.

    Args:
        schema: the value of ``ARROW:schema`` in the metadata of the file; one that cannot be read has none.
    """
    try:
        message = base64.b64decode(schema, validate=True)
        buffer = message[8:] if message.startswith(_CONTINUATION) else message[4:]
        header = _referred(buffer, _place(buffer, _root(buffer), _HEADER))
        fields = _referred(buffer, _place(buffer, header, _FIELDS))
        (count,) = struct.unpack_from("<I", buffer, fields)
        tables = [_referred(buffer, fields + 4 + 4 * number) for number in range(count)]
        return {_text(buffer, table) for table in tables if buffer[_place(buffer, table, _TYPE)] == _DURATION}
    except (binascii.Error, struct.error, IndexError, UnicodeDecodeError, LookupError):
        return set()


def _root(buffer: bytes) -> int:
    return _referred(buffer, 0)


def _referred(buffer: bytes, place: int) -> int:
    """Where the offset at ``place`` points to."""
    (offset,) = struct.unpack_from("<I", buffer, place)
    return place + int(offset)


def _place(buffer: bytes, table: int, field: int) -> int:
    """Where a field of a table is.

    Raises:
        LookupError: the table lacks it.
    """
    (back,) = struct.unpack_from("<i", buffer, table)
    (size,) = struct.unpack_from("<H", buffer, table - back)
    entry = 4 + 2 * field
    (offset,) = struct.unpack_from("<H", buffer, table - back + entry) if entry < size else (0,)
    if not offset:
        raise LookupError(f"field {field} is absent")
    return table + int(offset)


def _text(buffer: bytes, table: int) -> str:
    start = _referred(buffer, _place(buffer, table, _NAME))
    (length,) = struct.unpack_from("<I", buffer, start)
    return buffer[start + 4 : start + 4 + length].decode()

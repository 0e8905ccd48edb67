"""``model.npz``: the weights of a network as plain arrays, which any NumPy can read and which hold no pickle.

The file is a ZIP of .npy files that are stored and not compressed, all of 32-bit numbers. Nothing of it is used before
its size, names, shapes and numbers were checked, because whoever can write a model can write any bytes.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[np.float32]]

MOST_BYTES = 32 << 20
_SUFFIX = ".npy"
_DTYPE = np.dtype("<f4")
# As NumPy writes it (numpy.lib.format, version 1.0), of one or two dimensions.
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '<f4', 'fortran_order': False, "
    rb"'shape': \(([1-9][0-9]{0,8}),(?: ([1-9][0-9]{0,8}))?\), \} {0,63}\n",
    re.DOTALL,
)
# The same content gives the same bytes.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def write_arrays(arrays: Arrays) -> bytes:
    """The bytes of ``model.npz``: the same arrays, the same bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            array = io.BytesIO()
            np.lib.format.write_array(array, np.ascontiguousarray(arrays[name], _DTYPE), (1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(name + _SUFFIX, _NO_TIME), array.getvalue())
    return content.getvalue()


def read_arrays(content: bytes) -> dict[str, NDArray[np.float32]]:
    """The arrays by name, of any shape. Their bytes are no more than the file's.

    Raises:
        ValueError: says what is wrong with the file.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"it has {len(content)} bytes, and a network has at most {MOST_BYTES}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            _check_members(members, len(content))
            return {each.filename.removesuffix(_SUFFIX): _array(each.filename, archive.read(each)) for each in members}
    except (zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, RuntimeError, LookupError) as error:
        raise ValueError(f"it is not a ZIP of arrays: {error}") from error


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    names = [each.filename for each in members]
    if len(set(names)) != len(names) or not all(name.endswith(_SUFFIX) for name in names):
        raise ValueError("it has two files of one name, or one that is no array")
    if any(each.compress_type != zipfile.ZIP_STORED or each.file_size != each.compress_size for each in members):
        raise ValueError("one of its files is compressed")
    if sum(each.file_size for each in members) > size:
        raise ValueError("its files claim to be larger than all of it")


def _array(name: str, content: bytes) -> NDArray[np.float32]:
    """One array, from the only header that is ours: NumPy's own reader of headers evaluates them as Python."""
    header = _HEADER.match(content)
    start = 10 + int.from_bytes(content[8:10], "little")
    if header is None or start != header.end():
        said = content[10:80].decode("latin-1")
        raise ValueError(f"{name[:40]!r} is not an array of 32-bit numbers, row by row; its header is {said!r}")
    shape = tuple(int(size) for size in header.groups() if size is not None)
    if len(content) - start != _DTYPE.itemsize * math.prod(shape):
        raise ValueError(f"{name[:40]!r} does not have as many numbers as its shape {shape} says")
    return np.frombuffer(content, _DTYPE, offset=start).reshape(shape).astype(np.float32)

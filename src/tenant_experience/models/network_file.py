"""``model.npz``: the weights of a network as plain arrays, which any NumPy can read and which hold no pickle.

The file is a ZIP of .npy files that are stored and not compressed, all of 32-bit numbers. Nothing of it is used before
its size, names, shapes and numbers were checked, because whoever can write a model can write any bytes.
"""

from __future__ import annotations

import io
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
# NumPy pads the header of an array of up to two dimensions to 118 bytes.
_LONGEST_HEADER = 256
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
    data = io.BytesIO(content)
    try:
        np.lib.format.read_magic(data)
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(data, max_header_size=_LONGEST_HEADER)
    except (ValueError, TypeError, SyntaxError, struct.error, RecursionError, MemoryError) as error:
        raise ValueError(f"{name[:40]!r} is not an array: {str(error)[:100]}") from error
    if dtype != _DTYPE or fortran:
        raise ValueError(f"{name[:40]!r} is of {str(dtype)[:40]}, not of 32-bit numbers row by row")
    if any(not isinstance(each, int) or each < 1 for each in shape) or len(shape) > 2:
        raise ValueError(f"{name[:40]!r} has the shape {str(shape)[:40]}")
    if len(content) - data.tell() != _DTYPE.itemsize * int(np.prod(shape, dtype=object)):
        raise ValueError(f"{name[:40]!r} does not have as many numbers as its shape {str(shape)[:40]} says")
    return np.frombuffer(content, _DTYPE, offset=data.tell()).reshape(shape).astype(np.float32)

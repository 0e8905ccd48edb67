"""Damage to bytes, whatever they mean: what lines, disks, editors and attackers do to a file."""

import struct
from collections.abc import Callable
from random import Random

Mutation = Callable[[bytes, Random], bytes]


def _place(content: bytes, rng: Random) -> int:
    """Anywhere; more often near the ends, where formats keep headers and footers."""
    near = rng.choice([len(content), len(content), 64, 300])
    place = rng.randrange(min(near, len(content)) + 1)
    return rng.choice([place, len(content) - place])


def flip(content: bytes, rng: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 3, 40])):
        changed[min(_place(content, rng), len(content) - 1)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite(content: bytes, rng: Random) -> bytes:
    place, size = _place(content, rng), rng.choice([1, 4, 8, 200])
    return content[:place] + rng.choice([bytes(size), b"\xff" * size, rng.randbytes(size)]) + content[place + size :]


def truncate(content: bytes, rng: Random) -> bytes:
    return content[: _place(content, rng)]


def cut_out(content: bytes, rng: Random) -> bytes:
    start, end = sorted((_place(content, rng), _place(content, rng)))
    return content[:start] + content[end:]


def insert(content: bytes, rng: Random) -> bytes:
    scraps = [b"\x00", b'"', b"\n", b"\r", b",", b"\\", b"{", b"\xff\xfe", b"\xed\xa0\x80", b"\x1b[31m", b"'; --"]
    place = _place(content, rng)
    return content[:place] + rng.choice([*scraps, rng.randbytes(30)]) * rng.choice([1, 1, 50]) + content[place:]


def repeat(content: bytes, rng: Random) -> bytes:
    start, end = sorted((_place(content, rng), _place(content, rng)))
    return content[:end] + content[start:end] * rng.choice([1, 2, 20]) + content[end:]


def splice(content: bytes, rng: Random) -> bytes:
    return content[: _place(content, rng)] + content[_place(content, rng) :]


def number_at_the_end(content: bytes, rng: Random) -> bytes:
    """Lengths and offsets: of a Parquet footer, a zip's directory, a gzip trailer."""
    place = max(0, len(content) - rng.choice([4, 6, 8, 12, 20]))
    number = rng.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, len(content), 0x80000000])
    return content[:place] + struct.pack("<I", number) + content[place + 4 :]


def zip_field(content: bytes, rng: Random) -> bytes:
    """A field of some local header or directory entry; of other files, some bytes."""
    signature = rng.choice([b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"])
    start = content.find(signature)
    if start < 0:
        return overwrite(content, rng)
    place = start + rng.randrange(4, 46)
    return (
        content[:place] + rng.choice([b"\x00\x00", b"\xff\xff", b"\x01\x00", rng.randbytes(2)]) + content[place + 2 :]
    )


def append(content: bytes, rng: Random) -> bytes:
    return content + rng.choice([content, b"\x00" * 100, rng.randbytes(100), b"\n\n\n", b"PAR1", b"\x1f\x8b\x08\x00"])


def nothing_left(_content: bytes, rng: Random) -> bytes:
    return rng.choice(
        [b"", b"\n", b" \n\t\n", b"\x00" * 50, b"PAR1", b"PAR1PAR1", b"\x1f\x8b", b"PK\x05\x06" + bytes(18)]
    )


ALL: tuple[Mutation, ...] = (
    *(flip, flip, overwrite, truncate, cut_out, insert, insert, repeat, splice),
    *(number_at_the_end, zip_field, append, nothing_left),
)

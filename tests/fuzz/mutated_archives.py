"""Zip archives and gzip files made by somebody careless or hostile."""

import gzip
import io
import stat
import zipfile
from collections.abc import Callable
from random import Random

from tests.fuzz.valid_inputs import as_csv, as_parquet, events, packed

Mutation = Callable[[bytes, Random], bytes]

_NAMES = (
    *("../../outside.csv", "/etc/outside.csv", "C:\\x.csv", "a\nb.csv", "\x1b[31m.csv", "é/ü.csv", "x" * 300 + ".csv"),
    *(
        "no_extension",
        "in/",
        ".hidden.csv",
        "__MACOSX/a.csv",
        "a.CSV",
        "a.csv.gz",
        "a.zip",
        "'; --.csv",
        "*.csv",
        "a.xlsx",
    ),
)


def strange_members(_content: bytes, rng: Random) -> bytes:
    good = as_csv(events(rng, 30))
    members = {rng.choice(_NAMES): rng.choice([good, good, b"", as_parquet(events(rng, 20))]) for _ in range(3)}
    return packed(
        members | {"good.csv": good}, rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
    )


def symbolic_link(_content: bytes, rng: Random) -> bytes:
    link = zipfile.ZipInfo("link.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive_bytes = io.BytesIO()
    with zipfile.ZipFile(archive_bytes, "w") as archive:
        archive.writestr(link, rng.choice(["/etc/passwd", "../more.csv"]))
        archive.writestr("good.csv", as_csv(events(rng, 30)))
    return archive_bytes.getvalue()


def nested(content: bytes, rng: Random) -> bytes:
    return packed({rng.choice(["inner.zip", "inner.csv", "inner.csv.gz"]): content})


def bomb(_content: bytes, rng: Random) -> bytes:
    return packed({"zeros.csv": rng.choice([b"\x00", b"\n", b"a,"]) * rng.choice([1 << 20, 60 << 20])})


def encrypted(content: bytes, _rng: Random) -> bytes:
    changed = bytearray(content)
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.find(signature)
        if start >= 0:
            changed[start + place] |= 1
    return bytes(changed)


def prefixed(content: bytes, rng: Random) -> bytes:
    return rng.choice([b"PK\x03\x04", b"\x00" * 20, b"#!/bin/sh\n"]) + content


def gzip_again(content: bytes, _rng: Random) -> bytes:
    return gzip.compress(content)


def gzip_members(content: bytes, rng: Random) -> bytes:
    """Several gzip streams, one after the other; the last may be cut."""
    last = gzip.compress(as_csv(events(rng, 10)))
    return content + last[: rng.choice([len(last), len(last) - 5, 12])] + bytes(rng.choice([0, 30]))


def gzip_headers(_content: bytes, rng: Random) -> bytes:
    """Headers, checksums and padding that ``gzip -t`` accepts, and some that it does not."""
    plain = gzip.compress(as_csv(events(rng, 30)), mtime=0)
    flags, extra = rng.choice([(16, b"comment\0"), (8, b"name\0"), (4, b"\2\0ab"), (2, b"xx"), (24, b"a\0b\0")])
    damaged = plain[:3] + bytes([flags]) + plain[4:10] + extra + plain[10:]
    return rng.choice([damaged, plain + bytes(512), damaged[:-8] + bytes(4) + damaged[-4:]])


def gzip_bomb(_content: bytes, rng: Random) -> bytes:
    return gzip.compress(rng.choice([b"\x00", b"\n", b",", b"a"]) * (50 << 20), 1)


ALL_ZIP: tuple[Mutation, ...] = (strange_members, strange_members, symbolic_link, nested, bomb, encrypted, prefixed)
ALL_GZIP: tuple[Mutation, ...] = (gzip_again, gzip_members, gzip_headers, gzip_headers, gzip_bomb)

"""Bodies of requests for predictions: valid ones of each kind, and the same with the faults that clients make."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

KINDS = ("text/csv", "application/json", "application/jsonlines", "application/x-parquet")
# What a client puts where a number is expected: as JSON, and as a cell.
_VALUES = (
    *("nan", "NaN", "Infinity", "-Infinity", "1e999", "-1e400", "1e-400", "9" * 400, "9" * 5_000, "-" + "9" * 400),
    *("true", "null", "None", '""', '"1"', "[1]", '{"a": 1}', "[" * 900 + "]" * 900, "1_000", "0x10", "1e38", "3.5e38"),
    *("\uff11", "\\u0031", '"\\ud800"', " 1 ", "1,5", "+1", ".5", "5.", "--1", "1e", "\u202e1", "", "0", "-0", "1e-45"),
)
_KEYS = ("features", "instances", "tenant_id", "exposure_days", "explain", "ignore_unknown_features", "closeness")


def body(seed: int, number: int, features: Sequence[str]) -> tuple[str, bytes]:
    """The content type and the bytes of one case; the same number always gives the same."""
    chance = random.Random(f"{seed}/{number}")
    kind = chance.choice([*KINDS, "text/csv", "application/json", "application/json"])
    content = _content(chance, kind, features)
    for _ in range(chance.choice([0, 0, 1, 3])):
        content = _mutated(chance, content)
    return kind, content


def _content(chance: random.Random, kind: str, features: Sequence[str]) -> bytes:
    rows = [[_value(chance) for _ in features] for _ in range(chance.choice([0, 1, 2, 9]))]
    if kind == "application/x-parquet":
        table, buffer = pa.table({name: [0.5 for _ in rows] for name in features}), io.BytesIO()
        pq.write_table(table, buffer)
        return buffer.getvalue()
    if kind == "text/csv":
        header = [",".join(features)] if chance.random() < 0.3 else []
        end = chance.choice(["\n", "\r\n", "\r", "\n\n"])
        return end.join([*header, *(",".join(row) for row in rows), ""]).encode(
            chance.choice(["utf-8"] * 6 + ["utf-16"])
        )
    instances = [_instance(chance, features, row) for row in rows]
    if kind == "application/jsonlines":
        return "\n".join(instances).encode()
    more = f', "{chance.choice(_KEYS)}": {_value(chance)}' if chance.random() < 0.2 else ""
    explain = chance.choice(["true", "false"])
    text = f'{{"explain": {explain}, "instances": [{", ".join(instances)}]{more}}}'
    return text.encode(chance.choice(["utf-8"] * 6 + ["utf-16", "utf-32", "utf-8-sig"]))


def _instance(chance: random.Random, features: Sequence[str], row: Sequence[str]) -> str:
    pairs = ", ".join(f"{json.dumps(name)}: {value}" for name, value in zip(features, row, strict=True))
    days = _value(chance) if chance.random() < 0.5 else "300"
    again = f', "{chance.choice(_KEYS)}": {_value(chance)}' if chance.random() < 0.1 else ""
    return f'{{"tenant_id": "T1", "features": {{{pairs}}}, "exposure_days": {days}{again}}}'


def _value(chance: random.Random) -> str:
    return chance.choice(_VALUES) if chance.random() < 0.1 else repr(chance.gauss(0, 5))


def _mutated(chance: random.Random, content: bytes) -> bytes:
    if not content:
        return chance.choice([b"", b"\n", b"\x00", b"\xff\xfe", b"[" * 100_000])
    place, length = chance.randrange(len(content)), chance.randrange(1, 9)
    return chance.choice(
        [
            content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :],
            content[:place] + chance.randbytes(length) + content[place:],
            content[:place] + content[place + length :],
            content[:place],
            content[:place] + chance.choice(_VALUES).encode("utf-8", "replace") + content[place:],
            content + content[place:],
        ]
    )

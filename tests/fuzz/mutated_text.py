"""Damage to text: encodings, line ends, quotes, nesting."""

import json
from collections.abc import Callable
from random import Random

from tests.fuzz.valid_inputs import NOTE, TENANT

Mutation = Callable[[bytes, Random], bytes]


def _lines(content: bytes) -> list[bytes]:
    return content.split(b"\n")


def _change_line(content: bytes, rng: Random, change: Callable[[bytes], bytes]) -> bytes:
    lines = _lines(content)
    for _ in range(rng.choice([1, 3, 30])):
        place = rng.randrange(len(lines))
        lines[place] = change(lines[place])
    return b"\n".join(lines)


def encode_otherwise(content: bytes, rng: Random) -> bytes:
    encoding = rng.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "utf-7", "cp037"])
    return content.decode("utf-8", "replace").encode(encoding, "replace")


def mix_encodings(content: bytes, rng: Random) -> bytes:
    encoding = rng.choice(["latin-1", "utf-16-le", "shift-jis", "cp1251"])

    def accented(line: bytes) -> bytes:
        return line.replace(b"secret", "s\u00e9\u043a\u0440\u0442".encode(encoding, "replace"))

    return _change_line(content, rng, accented)


def bom_in_the_middle(content: bytes, rng: Random) -> bytes:
    return _change_line(content, rng, lambda line: b"\xef\xbb\xbf" + line)


def line_ends(content: bytes, rng: Random) -> bytes:
    if rng.random() < 0.3:
        return _change_line(content, rng, lambda line: line + b"\r")
    return content.replace(b"\n", rng.choice([b"\r", b"\r\n", b"\n\n", b"\n\r", b"\x0b", "\u2028".encode(), b""]))


def unterminated_quote(content: bytes, rng: Random) -> bytes:
    return _change_line(content, rng, lambda line: line.replace(b",", b',"', 1) if b"," in line else line + b'"')


def giant_field(content: bytes, rng: Random) -> bytes:
    size = rng.choice([200, 70_000, 2_100_000, 5_000_000])
    filling = rng.choice([b"x", b'""', b"\xc3\xa9", b"0"]) * size
    lines = _lines(content)
    place = rng.randrange(len(lines))
    lines[place] = lines[place].replace(rng.choice([b"E", b"ticket", b"2026", b"0."]), filling, 1)
    return b"\n".join(lines)


def ragged(content: bytes, rng: Random) -> bytes:
    tear = rng.choice(
        [lambda line: line[: len(line) // 2], lambda line: line + b",,", lambda line: line + b"," * 3_000]
    )
    return _change_line(content, rng, tear)


def other_delimiter(content: bytes, rng: Random) -> bytes:
    return content.replace(b",", rng.choice([b";", b"\t", b"|", b"\x00", b"\x01", b", ", "\uff0c".encode()]))


def control_characters(content: bytes, rng: Random) -> bytes:
    strange = rng.choice(
        [b"\x00", b"\x1b[2J", b"\x7f", b"\x08", "\u202e".encode(), "\x85".encode(), b"\x01", b"../", b"\\"]
    )
    return _change_line(content, rng, lambda line: line.replace(TENANT.encode(), TENANT.encode() + strange))


def json_values(content: bytes, rng: Random) -> bytes:
    """JSON that is unusual, huge, or none."""
    deep = rng.choice([50, 5_000, 200_000])
    strange = [
        *(b"NaN", b"-Infinity", b"1e999", b"1" * 5_000, b"-0", b"null", b"true", b'"\\ud800"', b'"\\u0000"', b"0x10"),
        *(b"[" * deep + b"]" * deep, b'{"a":' * deep + b"1" + b"}" * deep, b"[]", b"{}", b'{"a": {"b": "c"}}', b"'a'"),
    ]
    value = rng.choice(strange)

    def put(line: bytes) -> bytes:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return line
        if rng.random() < 0.1 or not isinstance(record, dict) or not record:
            return value
        key = rng.choice(list(record))
        pairs = [json.dumps(name).encode() + b": " + json.dumps(item).encode() for name, item in record.items()]
        added = (
            json.dumps(rng.choice([key, key.upper(), "", "a/b", "~", "x" * 3_000, '"', NOTE])).encode() + b": " + value
        )
        return b"{" + b", ".join([*pairs, added] if rng.random() < 0.5 else [added, *pairs]) + b"}"

    return _change_line(content, rng, put)


def lone_carriage_return(content: bytes, rng: Random) -> bytes:
    place = rng.randrange(len(content) or 1)
    return content[:place] + b"\r" + content[place:]


def spellings_of_missing(content: bytes, rng: Random) -> bytes:
    spelling = rng.choice([b"NaN", b"nan", b"NaT", b"None", b"NULL", b"<NA>", b"N/A"])
    return _change_line(content, rng, lambda line: line.replace(b",,", b"," + spelling + b",", 1))


def lookalike_ids(content: bytes, rng: Random) -> bytes:
    strange = rng.choice(["\u200b", "\ufeff", "\u0301", "\u00a0", "\u3000", ".0", "\u00ad", "\U000e0041"]).encode()
    return _change_line(content, rng, lambda line: line.replace(TENANT.encode(), TENANT.encode() + strange))


def zones_of_times(content: bytes, rng: Random) -> bytes:
    zone = rng.choice([b" BST", b" AST", b" GMT", b" UTC", b" Europe/London", b"+25:00", b" NZ", b" (BC)", b""])
    return _change_line(content, rng, lambda line: line.replace(b"Z", zone))


def break_in_header(content: bytes, rng: Random) -> bytes:
    header, end, rest = content.partition(b"\n")
    return header + rng.choice([b',"two\nlines"', b',"two\r\nlines"', b',"open\n']) + end + rest


def no_header(content: bytes, rng: Random) -> bytes:
    return content.partition(b"\n")[rng.choice([0, 2])]


def blank_lines(content: bytes, rng: Random) -> bytes:
    return _change_line(content, rng, lambda line: b"\n" * rng.choice([1, 5]) + line)


ALL: tuple[Mutation, ...] = (
    *(encode_otherwise, mix_encodings, bom_in_the_middle, line_ends, line_ends, unterminated_quote, giant_field),
    *(ragged, other_delimiter, control_characters, json_values, json_values, no_header, blank_lines),
    *(lone_carriage_return, spellings_of_missing, lookalike_ids, zones_of_times, break_in_header),
)

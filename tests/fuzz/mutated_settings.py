"""Damage to manifest.json and to YAML settings."""

import json
from collections.abc import Callable
from random import Random

import yaml

from tests.fuzz.mutated_text import encode_otherwise

Mutation = Callable[[bytes, Random], bytes]

STRANGE = (
    *(
        None,
        True,
        0,
        -1,
        1.5,
        10**400,
        float("inf"),
        float("nan"),
        "",
        " ",
        "x" * 5_000,
        "\x00",
        "é",
        [],
        {},
        [[]],
        [None],
    ),
    *({"a": {"b": 1}}, "2026-11-01", "2026-11-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "*"),
    *(
        "../../etc/passwd",
        "tenant_table",
        "events",
        "per_partition",
        "; select 1",
        "Mars/Olympus",
        "utf-16",
        "rot13",
        "idna",
    ),
)
# In place of a column's expression: each ends in a refusal of the source, or in rows that are quarantined.
EXPRESSIONS = (
    *(
        "event_id || ''",
        "1/0",
        "CAST(tenant_id AS INTEGER)",
        "error('x')",
        "event_id)",
        "(select 1)",
        "count(*)",
        "no_such(a)",
    ),
    *(
        "read_text('/etc/passwd')",
        "getenv('PATH')",
        "random()",
        "sum(1)",
        "[1]",
        "{'a': 1}",
        "NULL",
        "'x' COLLATE NOCASE",
    ),
    *("list_reduce([1], (x, y) -> x)", '"notes"', "regexp_extract(event_id, '(')", "strptime(opened_at, '%Q')", "\x00"),
    *(
        "repeat('x', 100000)",
        "CAST(opened_at AS DATE)",
        "now()",
        "-- ",
        "/* ",
        "event_id; select 1",
        "file",
        "broken_rule",
    ),
)
_DOCUMENTS = (
    *(
        "",
        "null",
        "[]",
        "3",
        '"text"',
        "{",
        "a: b: c",
        "\t- x",
        "- " * 3_000,
        "{a: " * 2_000,
        "[" * 100_000,
        "%YAML 9.9\n---\n",
    ),
    *(
        "!!python/object/apply:os.system [id]",
        "a: &a [*a]",
        "? [x]\n: y",
        "a: 1\na: 2",
        "---\na: 1\n---\nb: 2",
        "<<: 1",
        "\ufeff",
    ),
    "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(
        f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    ),
)


def other_document(_content: bytes, rng: Random) -> bytes:
    return rng.choice(_DOCUMENTS).encode()


def _change(document: object, rng: Random) -> object:
    """Somewhere in the document: one thing otherwise."""
    if isinstance(document, dict) and document:
        key = rng.choice(list(document))
        if rng.random() < 0.6:
            return document | {key: _change(document[key], rng)}
        rest = {name: value for name, value in document.items() if name != key}
        return rng.choice(
            [rest, rest | {str(rng.choice(STRANGE)): document[key]}, document | {"as_of": rng.choice(STRANGE)}]
        )
    return rng.choice(STRANGE)


def change_json(content: bytes, rng: Random) -> bytes:
    keys = ("source", "as_of", "hyperparameters", "models", "other")
    document = json.loads(content) | {rng.choice(keys): rng.choice([*STRANGE, {"max_depth": rng.choice(STRANGE)}])}
    return json.dumps(document).encode()


def change_yaml(content: bytes, rng: Random) -> bytes:
    return yaml.safe_dump(_change(yaml.safe_load(content), rng), sort_keys=False).encode()


def change_expression(content: bytes, rng: Random) -> bytes:
    document = yaml.safe_load(content)
    places = [(document["columns"], name) for name in document["columns"]]
    into, name = rng.choice([*places, (document, "where"), (document, "where")])
    into[name] = rng.choice(EXPRESSIONS)
    return yaml.safe_dump(document, sort_keys=False).encode()


def change_line(content: bytes, rng: Random) -> bytes:
    lines = content.split(b"\n")
    place = rng.randrange(len(lines))
    changed = rng.choice(
        [[], [lines[place]] * 2, [b"  " + lines[place]], [lines[place] + b" x: y"], [b"\t" + lines[place]]]
    )
    return b"\n".join([*lines[:place], *changed, *lines[place + 1 :]])


ALL: dict[str, tuple[Mutation, ...]] = {
    "manifest": (change_json, change_json, change_json, other_document, encode_otherwise),
    "use_case": (change_yaml, change_yaml, change_line, other_document, encode_otherwise),
    "source": (change_yaml, change_expression, change_expression, change_line, other_document, encode_otherwise),
}

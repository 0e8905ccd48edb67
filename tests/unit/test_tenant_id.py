"""One pattern of tenant ids, which two engines of regular expressions must read the same way."""

import random
import subprocess
import sys

import duckdb
import pytest

from tenant_experience.intake.mapping import malformed
from tenant_experience.tenant_id import LONGEST, NAME_PATTERN, PATTERN, is_tenant_id

EDGES = [
    *(
        "",
        " ",
        ".",
        "/",
        "a",
        " a",
        "a ",
        ".a",
        "a.",
        "a/b",
        "a\\b",
        "~",
        "-",
        "\u00a0a",
        "\u200ba",
        "%2e",
        "$",
        "^a$",
        "a\n",
        "\na",
    ),
    *(f"{before}{chr(code)}{after}" for code in range(0x100) for before, after in (("", ""), ("a", ""), ("", "a"))),
    *(f"a{character}" for character in "\u2027\u2028\u2029\u202a\ufeff\ufffd\U0001f3e0\U0010ffff"),
    *(character * length for character in "a\u00e9\U0001f3e0" for length in (LONGEST - 1, LONGEST, LONGEST + 1)),
]


def random_texts() -> list[str]:
    rng = random.Random(0)
    letters = [*map(chr, range(0x20, 0x7F)), *" ./\\", "\t", "\x85", "\u00e9", "\u2028", "\U0001f3e0"]
    return ["".join(rng.choices(letters, k=rng.randrange(1, 9))) for _ in range(2_000)]


def duckdb_says(pattern: str, texts: list[str]) -> list[bool]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE ids AS SELECT unnest($1) AS id", [texts])
        rows = connection.execute(f"SELECT NOT {malformed('id', pattern)} FROM ids").fetchall()  # noqa: S608
    return [row[0] for row in rows]


def test_python_and_duckdb_agree_on_what_a_tenant_id_is():
    texts = EDGES + random_texts()
    answers = [is_tenant_id(text) for text in texts]
    assert answers == duckdb_says(PATTERN, texts)
    assert 200 < sum(answers) < len(texts) - 200


def test_a_name_of_a_portfolio_may_begin_with_anything_but_holds_no_control_character():
    allowed = dict(zip(EDGES, duckdb_says(NAME_PATTERN, EDGES), strict=True))
    assert all(allowed[text] for text in (".", " a", "a/b", "\u00e9" * LONGEST))
    assert not any(allowed[text] for text in ("", "a\n", "\x85", "a\u2028", "a" * (LONGEST + 1)))


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
def test_half_a_character_is_no_id(text: str):
    assert not is_tenant_id(text)


def test_only_the_standard_library_is_loaded():
    others = "('duckdb', 'numpy', 'pydantic')"
    script = f"import sys, tenant_experience.tenant_id as _; print([m for m in {others} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "[]\n"

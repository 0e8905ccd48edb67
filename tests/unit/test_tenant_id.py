"""One pattern of tenant ids, which two engines of regular expressions must read the same way."""

import random
import subprocess
import sys

import duckdb
import pytest

from tenant_experience.intake.mapping import malformed, malformed_id
from tenant_experience.tenant_id import LONGEST, NAME_PATTERN, IdCase, is_tenant_id, normal_id, normalised, tenant_id_of
from tenant_experience.use_case.id_sql import normal_id as normal_id_sql
from tenant_experience.use_case.id_sql import normalised as normalised_sql

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


def duckdb_answers(expression: str, texts: list[str]) -> list[object]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE ids AS SELECT unnest($1) AS id", [texts])
        return [row[0] for row in connection.execute(f"SELECT {expression} FROM ids").fetchall()]  # noqa: S608


def duckdb_says(pattern: str, texts: list[str]) -> list[bool]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE ids AS SELECT unnest($1) AS id", [texts])
        rows = connection.execute(f"SELECT NOT {malformed('id', pattern)} FROM ids").fetchall()  # noqa: S608
    return [row[0] for row in rows]


def test_python_and_duckdb_agree_on_what_a_tenant_id_is():
    texts = EDGES + random_texts()
    answers = [is_tenant_id(text) for text in texts]
    assert answers == duckdb_answers(f"NOT {malformed_id('id')}", texts)
    assert 200 < sum(answers) < len(texts) - 200


PARTS = [*"aeT10.9{}[]\"'- +E", "\u0301", "e\u0301", "\u00e9", "\u00c5", "A\u030a", "\u212b", "\u1100\u1161", "\u00a0"]
PARTS += [
    "\u3000",
    "\u2009",
    "\u200b",
    "\ufeff",
    "\u00ad",
    "\u2060",
    ".0",
    ".00",
    "123",
    "1.5e22",
    "\u0661",
    "\U0001f3e0",
]


# Letters whose lower case depends on the language, on the letters around them, or has another length; and marks that
# join only the small letter.
CASED = [
    *PARTS,
    *"SsKkHhJjII",
    "\u00df",
    "\u1e9e",
    "\u0130",
    "\u0131",
    "\u03a3",
    "\u03c2",
    "\u212a",
    "\u017f",
    "\u01c5",
]
CASED += ["\u0307", "\u0331", "\u030c", "\u00c9", "\U00010400", "\uff21"]


@pytest.mark.parametrize("case", ["sensitive", "insensitive"])
def test_python_and_duckdb_give_every_id_the_same_normal_form_in_either_case(case: IdCase):
    rng = random.Random(2)
    texts = ["".join(rng.choices(CASED, k=rng.randrange(1, 7))) for _ in range(20_000)]
    texts += [chr(code) for code in range(0x3000) if code]
    forms = [normal_id(text, case) for text in texts]
    assert forms == duckdb_answers(normal_id_sql("id", case), texts)
    assert [normal_id(form, case) for form in forms] == forms
    assert [is_tenant_id(form) for form in forms] == duckdb_answers(f"NOT {malformed_id('id')}", forms)
    assert sum(any("A" <= letter <= "Z" for letter in form) for form in forms) == 0 or case == "sensitive"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        *(("T000014", "t000014"), (" Ann.Ames@EXAMPLE.com", "ann.ames@example.com"), ("\u212aIM", "kim")),
        *(("STRASSE", "strasse"), ("STRA\u1e9eE", "stra\u1e9ee"), ("\u0130I", "\u0130i"), ("I\u0307", "\u0130")),
        *(("\u039f\u0394\u039f\u03a3", "\u039f\u0394\u039f\u03a3"), ("E\u0301", "\u00c9"), ("H\u0331", "\u1e96")),
    ],
)
def test_the_letters_a_to_z_have_a_case_and_no_others(text: str, meant: str):
    assert tenant_id_of(text, "insensitive") == meant
    assert tenant_id_of(text, "sensitive") == normalised(text)


def test_python_and_duckdb_give_every_id_the_same_normal_form():
    rng = random.Random(1)
    texts = ["".join(rng.choices(PARTS, k=rng.randrange(1, 7))) for _ in range(20_000)]
    forms = [normalised(text) for text in texts]
    assert forms == duckdb_answers(normalised_sql("id"), texts)
    assert [normalised(form) for form in forms] == forms
    assert [is_tenant_id(form) for form in forms] == duckdb_answers(f"NOT {malformed_id('id')}", forms)


@pytest.mark.parametrize(
    ("texts", "meant"),
    [
        (["Ren\u00e9e", "Rene\u0301e", " Ren\u00e9e ", "\u00a0Ren\u00e9e\u3000"], "Ren\u00e9e"),
        (["Ann Ames", "Ann\u00a0Ames", "Ann\u2009Ames"], "Ann Ames"),
        (["123", "123.0", "123.0000000000"], "123"),
        (["007.0"], "007"),
        (["1.50"], "1.50"),
        (["1e3", "1,5", "#4", "#REF", "-5E2"], None),
        (["Unit 1E2", "[Unit 4] Bo", "{1B4E28BA-2FA1-11D2-883F-0016D3CCA427}"], None),
    ],
)
def test_ids_that_look_alike_are_one_id(texts: list[str], meant: str | None):
    assert [tenant_id_of(text, "sensitive") for text in texts] == ([meant] * len(texts) if meant else texts)


@pytest.mark.parametrize(
    "text",
    [
        *("T\u200b1", "\ufeffT1", "T1\u200d", "T\u00ad1", "T\u20601", "T\u202e1", "T\u3164", "T\U000e00411", ""),
        *('{"display_value": "Ann", "value": "125"}', '["125"]', "[125]", "{}", "[]", "1.2345678901234568e22", "1E+15"),
        *("-1.2E+15", "+1E+15", "1,23457E+14", "-1,2e9", "#REF!", "#VALUE!", "#NAME?", "########", "T\ufff9x\ufffb"),
    ],
)
def test_an_id_that_cannot_be_seen_or_is_several_values_is_refused(text: str):
    assert tenant_id_of(text, "sensitive") is None
    assert duckdb_answers(malformed_id(normalised_sql("id")), [text]) == [True]


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

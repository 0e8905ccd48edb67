"""A tenant is erased under every spelling of its id, and nobody else is."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from tenant_experience.erasure.file import Eraser, Erasure
from tenant_experience.erasure.id import ErasedId
from tenant_experience.erasure.mapping import RawMapping
from tenant_experience.tenant_id import IdCase
from tenant_experience.use_case.source import Source
from tests.support.erasing import EVENTS, eraser_in, erasing_from_own, parquet_of


def test_an_id_is_known_in_other_spellings(tmp_path: Path):
    for me, text in (
        ("a@b & c", b"/tenants/a%40b%20%26%20c/x"),
        ("a@b & c", b"a@b &amp; c"),
        ("Jos\xe9 1", b"Jos\\u00e9 1"),
    ):
        with erasing_from_own(tmp_path, me) as erase:
            assert erase("x.html", text)[0].left == "nothing"


def test_a_short_id_is_a_residue_only_where_it_can_be_nothing_else(tmp_path: Path):
    with erasing_from_own(tmp_path, "12") as erase:
        for text in (b"at 12:30", b"12 rows", b"2026-12-12", b"x12"):
            assert erase("x.log", text)[0] == Erasure()
        for text in (b"/tenants/12/features", b'"12"', b"<b>12</b>", b"tenant_id=12 "):
            assert erase("x.log", text)[0].left == "nothing"
        rows = pa.table({"tenant_id": ["12", "13"], "work_order_count": ["12", "12"]})
        assert parquet.read_table(io.BytesIO(erase("x.parquet", parquet_of(rows))[1]))["tenant_id"].to_pylist() == [
            "13"
        ]


# A tenant's id, and texts of a file that mean the same tenant.
SPELLINGS = [
    ("Ren\u00e9e 1", ("Ren\u00e9e 1", "Rene\u0301e 1", " Rene\u0301e\u00a01 ", "Ren\u00e9e\u20091"), "sensitive"),
    ("123", ("123", "123.0", " 123.00 "), "sensitive"),
    ("t1", ("t1",), "sensitive"),
    ("t1", ("t1", "T1", " T1\u00a0"), "insensitive"),
    ("t000014", ("t000014", "T000014", "T000014 "), "insensitive"),
    ("ren\u00e9e 1", ("Ren\u00e9e 1", "Rene\u0301e 1", "REN\u00e9E\u00a01"), "insensitive"),
]


@pytest.mark.parametrize(("me", "texts", "case"), SPELLINGS)
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "json", "parquet"])
def test_every_spelling_of_the_id_is_the_tenant(
    tmp_path: Path, me: str, texts: tuple[str, ...], case: IdCase, suffix: str
) -> None:
    ids = [*texts, "somebody else", "T\u200b1", "T1-2", "XT1"]
    content = {
        "csv": "\n".join(["tenant_id", *ids, ""]).encode(),
        "jsonl": "".join(json.dumps({"tenant_id": text}) + "\n" for text in ids).encode(),
        "json": json.dumps([{"tenant_id": text} for text in ids]).encode(),
        "parquet": parquet_of(pa.table({"tenant_id": ids})),
    }[suffix]
    erased = ErasedId.of(me, case=case)
    for is_raw in (True, False):
        columns = {**EVENTS, "tenant_id": "tenant_id"} if is_raw else {"tenant_id": "tenant_id"}
        source = Source.model_validate({"kind": "events" if is_raw else "table", "columns": columns})
        with RawMapping.open(source, "tenant_id", erased) as mapping:
            erase = eraser_in(tmp_path, Eraser(erased, "tenant_id", mapping, is_raw=is_raw))
            found, left = erase(f"x.{suffix}", content)
            assert (found.removed, found.left) == (len(texts), "rewritten")
            assert erase(f"x.{suffix}", left)[0] == Erasure()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("case", ["sensitive", "insensitive"])
def test_an_id_within_other_text_goes_in_the_cases_that_are_the_tenants(encoding: str, case: IdCase) -> None:
    erased = ErasedId.of("ann ames-\u00e9", case=case)
    texts = ["of ann ames-\u00e9.", "of Ann Ames-\u00e9.", "ANN%20AMES-%c3%a9", "ANN AMES-\\u00E9", "Anna Ames-\u00e9"]
    expected = [True, *[case == "insensitive"] * 3, False]
    assert [erased.is_in_text(text.encode(encoding)) for text in texts] == expected
    assert [erased.is_in_line(text) for text in texts] == expected
    assert [erased.is_named_by(text) for text in texts[:2]] == expected[:2]
    assert [erased.blot_out(text) for text in texts[:2]][1] == ("of [erased]." if expected[1] else texts[1])
    # Letters that only some rules of Unicode take for A to Z, and capital letters other than these.
    others = ["of ann ame\u017f-\u00e9.", "of ANN AMES-\u00c9."]
    assert not any(erased.is_in_text(text.encode(encoding)) or erased.is_in_line(text) for text in others)


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.list_(pa.string())]
)
def test_a_parquet_row_that_names_the_tenant_in_another_case_goes(tmp_path: Path, kind: pa.DataType) -> None:
    texts = ["to T000014.", "to t000014", "to T000015"]
    column = pa.array([[text] for text in texts] if pa.types.is_list(kind) else texts, kind)
    erased = ErasedId.of("t000014", case="insensitive")
    source = Source.model_validate({"kind": "table", "columns": {"tenant_id": "tenant_id"}})
    with RawMapping.open(source, "tenant_id", erased) as mapping:
        erase = eraser_in(tmp_path, Eraser(erased, "tenant_id", mapping, is_raw=False))
        found, _ = erase("x.parquet", parquet_of(pa.table({"tenant_id": ["a", "b", "c"], "note": column})))
    assert found == Erasure(2, "rewritten")


def test_a_text_that_says_the_id_with_another_space_goes(tmp_path: Path) -> None:
    erased = ErasedId.of("Ann Ames", case="sensitive")
    source = Source.model_validate({"kind": "table", "columns": {"tenant_id": "tenant_id"}})
    with RawMapping.open(source, "tenant_id", erased) as mapping:
        erase = eraser_in(tmp_path, Eraser(erased, "tenant_id", mapping, is_raw=False))
        assert erase("x.txt", "of Ann\u00a0Ames.".encode())[0] == Erasure(1, "nothing")


def test_a_tenant_whose_id_is_the_beginning_of_a_long_one_stays() -> None:
    long, short = "t" * 64 + "-of-house-7", "t" * 64
    erased = ErasedId.of(long, case="sensitive")
    assert erased.ids == (long,)
    source = Source.model_validate({"kind": "events", "columns": {**EVENTS, "tenant_id": "tenant_id"}})
    with RawMapping.open(source, "tenant_id", erased) as mapping:
        assert mapping.are_tenants([(long,), (short,)]) == [True, False]


def test_the_cut_text_of_a_long_decomposed_id_is_the_tenants() -> None:
    """The quarantine keeps 64 characters of a text as it was, and composing an id makes it shorter."""
    me = "\u00e9" * 60
    erased = ErasedId.of(me, case="sensitive")
    assert erased.is_value(("e\u0301" * 60)[:64])

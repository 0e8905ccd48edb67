"""Ids that are made from several columns: other values make another id, and all that is done with an id works."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tenant_experience.erasure.id import ErasedId
from tenant_experience.erasure.mapping import RawMapping
from tenant_experience.errors import UserError
from tenant_experience.features.table import read_features
from tenant_experience.intake.duckdb_session import open_session
from tenant_experience.intake.engine import DuckDbEngine
from tenant_experience.intake.files import find_raw_files
from tenant_experience.intake.repeated_rows import RepeatedRows
from tenant_experience.intake.table import read_table
from tenant_experience.pseudonyms import Pseudonyms
from tenant_experience.tenant_id import IdCase, is_tenant_id, tenant_id_of
from tenant_experience.use_case import served
from tenant_experience.use_case.id_sql import joined_id
from tenant_experience.use_case.schema import load_use_case
from tenant_experience.use_case.source import load_source
from tests.support.written_use_case import Written, events_of, table_of

PARTS = (
    "a",
    "b",
    "a-b",
    "b-c",
    "c",
    "~",
    "!",
    "!7E",
    "a~",
    "~b",
    "a!",
    "~~",
    "/",
    "\\",
    ".",
    ".a",
    "1",
    "01",
    "7E",
    "-",
)
FROM = {"record_id": {"from": ["invoice", "line"]}}


def joined(*values: Any, case: IdCase = "sensitive") -> str | None:
    names = [f"c{place}" for place in range(len(values))]
    columns = ", ".join(f"${place + 1} AS {name}" for place, name in enumerate(names))
    query = f"SELECT {joined_id(names, case)} FROM (SELECT {columns})"  # noqa: S608
    row = duckdb.execute(query, list(values)).fetchone()
    assert row is not None
    return None if row[0] is None else str(row[0])


def test_other_parts_always_make_another_id_and_each_may_be_one() -> None:
    pairs = list(itertools.product(PARTS, repeat=2))
    query = f"SELECT {joined_id(['c0', 'c1'], 'sensitive')} FROM (SELECT unnest($1) AS c0, unnest($2) AS c1)"  # noqa: S608
    found = duckdb.execute(query, [[first for first, _ in pairs], [second for _, second in pairs]]).fetchall()
    ids = dict(zip(pairs, (text for (text,) in found), strict=True))
    assert len(set(ids.values())) == len(PARTS) ** 2
    assert all(text is not None and is_tenant_id(text) for text in ids.values())
    assert joined("a-b", "c") == "a-b~c"
    assert joined("a", "b-c") == "a~b-c"
    assert joined("a~b", "c") == "a!7Eb~c"
    assert joined("a", "b~c") == "a~b!7Ec"
    assert joined(".a/b\\c!") == "!2Ea!2Fb!5Cc!21"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("536365.0", " 7\u00a0"), "536365~7"),
        ((536365, 7), "536365~7"),
        (("Cafe\u0301", "x"), "Caf\u00e9~x"),
        (("a", None), None),
        (("a", " "), None),
        (("2024-01-05", "x y"), "2024-01-05~x y"),
    ],
)
def test_each_part_has_its_normal_form_and_a_blank_one_leaves_no_id(values: tuple[Any, ...], expected: str) -> None:
    assert joined(*values) == expected


def test_case_counts_only_where_the_use_case_says_so() -> None:
    assert joined("Ab", "C") == "Ab~C"
    assert tenant_id_of(str(joined("Ab", "C/", case="insensitive")), "insensitive") == "ab~c!2f"
    assert tenant_id_of("AB~c!2F", "insensitive") == "ab~c!2f"
    assert joined("A" * 100, "b" * 100, case="insensitive") == joined("a" * 100, "B" * 100, case="insensitive")


@pytest.mark.parametrize("part", ["1.2E+15", "#REF!", "a\nb", "\u200bx", '{"a": 1}'])
def test_a_part_that_is_no_id_makes_none(part: str) -> None:
    for pair in ((part, "b"), ("b", part), (part, "b" * 200)):
        text = joined(*pair)
        assert text is not None
        assert not is_tenant_id(text)


def test_what_would_be_too_long_has_a_hash_that_is_as_long_for_all() -> None:
    ids = {joined("x" * length, "y") for length in range(120, 140)}
    assert len(ids) == 20
    assert all(text is not None and is_tenant_id(text) and len(text) <= 128 for text in ids)
    assert sum(str(text).startswith("!sha256-") for text in ids) == 13


def written(base: Path, **changes: Any) -> Written:
    """240 lines of 80 invoices, as a table."""
    settings = {**FROM, **changes}
    case = table_of(base / "plain")
    columns = {name: column for name, column in case.source["columns"].items() if name != "client"}
    rows = {name: values for name, values in case.rows.items() if name != "c0"}
    rows["InvoiceNo"] = [f"I-{row // 3}" for row in range(240)]
    rows["LineNo"] = [row % 3 + 1 for row in range(240)]
    source = {"kind": "table", "columns": {"invoice": "InvoiceNo", "line": '"LineNo" -- of it', **columns}}
    return Written(base, {**case.settings, **settings}, source, rows)


def read(case: Written, pseudonyms: Pseudonyms | None = None) -> tuple[list[dict[str, Any]], RepeatedRows, list[str]]:
    """The rows of the table, what was repeated, and the reasons of refusals."""
    use_case = load_use_case(case.folder)
    source = load_source(case.folder, "export", use_case)
    raw = case.base / "raw"
    raw.mkdir(exist_ok=True)
    (raw / "export.csv").write_bytes(case.export.read_bytes())
    with open_session(raw) as (connection, scratch):
        engine = DuckDbEngine(connection, scratch, pseudonyms)
        _, repeated = read_table(engine, find_raw_files(raw, source, scratch), source, use_case)
        rows = connection.sql("FROM ready_made ORDER BY ALL").to_arrow_table().to_pylist()
        refused = connection.sql("SELECT reason FROM quarantine").fetchall()
    return rows, repeated, [reason for (reason,) in refused]


def test_a_release_has_an_id_for_each_pair_of_columns(tmp_path: Path) -> None:
    case = written(tmp_path)
    assert served.parse((case.folder / "use_case.yaml").read_bytes()).record_id == "record_id"
    assert case.preview().refusals == []
    rows, repeated, refused = read(case)
    assert {row["record_id"] for row in rows} == {f"I-{row // 3}~{row % 3 + 1}" for row in range(240)}
    assert not {"invoice", "line"} & rows[0].keys()
    assert (repeated, refused) == (RepeatedRows(240, 0, 0), [])
    assert case.release() == ["all"]


def test_a_row_with_a_blank_part_is_refused(tmp_path: Path) -> None:
    case = written(tmp_path)
    text = case.export.read_text().replace("I-0,1\n", ",1\n").replace("I-0,2\n", "1.2E+15,2\n")
    case.export.write_text(text)
    rows, _, refused = read(case)
    assert len(rows) == 238
    assert sorted(refused) == ["malformed_id", "missing_value"]


def test_pseudonyms_and_the_erasure_are_about_the_joined_id(tmp_path: Path) -> None:
    case = written(tmp_path)
    hidden = Pseudonyms(b"k" * 32, "record_id", "sensitive")
    rows, _, _ = read(case, hidden)
    assert hidden.of("I-3~2") in {row["record_id"] for row in rows}
    assert not [row for row in rows if "~" in row["record_id"]]
    source = load_source(case.folder, "export", load_use_case(case.folder))
    with RawMapping.open(source, "record_id", ErasedId.of("I-3~2", case="sensitive")) as mapping:
        assert mapping.columns == ("InvoiceNo", "LineNo")
        assert mapping.are_tenants([("I-3", "2"), ("I-3", "1"), (" I-3", "2.0"), ("I-3~2", None)]) == [
            True,
            False,
            True,
            False,
        ]


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"from": []}, r"line \d+: key 'record_id.from': .*at least 1"),
        ({"from": ["invoice", "invoice"]}, "must name different columns"),
        ({"from": ["record_id"]}, "not 'record_id' itself"),
        ({"from": ["invoice", "outcome"]}, "a record needs an id before it has a label"),
        ({"of": ["invoice"]}, "unknown key 'record_id.of'; allowed here: name, from"),
        (3, r"line \d+: key 'record_id': must be a text"),
    ],
)
def test_settings_that_make_no_id_are_refused(tmp_path: Path, setting: Any, told: str) -> None:
    with pytest.raises(UserError, match=told):
        load_use_case(written(tmp_path, record_id=setting).folder)


def test_a_source_must_map_what_an_id_is_made_from(tmp_path: Path) -> None:
    case = written(tmp_path, record_id={"name": "line_id", "from": ["invoice", "position"]})
    with pytest.raises(UserError, match="key 'columns' lacks position"):
        load_source(case.folder, "export", load_use_case(case.folder))


def test_ids_may_be_made_from_features_so_that_equal_rows_are_one(tmp_path: Path) -> None:
    case = written(tmp_path, record_id={"from": ["invoice", "line", "colour", "amount"]})
    text = case.export.read_text().splitlines()
    case.export.write_text("\n".join([*text, text[1], text[1], text[7]]) + "\n")
    rows, repeated, refused = read(case)
    assert (len(rows), repeated, refused) == (240, RepeatedRows(240, 3, 0), [])
    assert {row["colour"] for row in rows} == {"red", "blue"}


@pytest.mark.parametrize("order", [1, -1])
def test_of_rows_that_differ_one_is_kept_whatever_their_order(tmp_path: Path, order: int) -> None:
    case = written(tmp_path)
    text = case.export.read_text().splitlines()
    head, first = text[0].split(","), dict(zip(text[0].split(","), text[1].split(","), strict=True))
    other = ",".join({**first, "c3": "violet"}[name] for name in head)
    unknown = ",".join({**first, "c3": ""}[name] for name in head)
    case.export.write_text("\n".join([text[0], *[*text[1:], other, unknown, other][::order]]) + "\n")
    rows, repeated, _ = read(case)
    assert repeated == RepeatedRows(240, 1, 1, 2)
    assert {row["record_id"]: row["colour"] for row in rows}["I-0~1"] == first["c3"]


def test_rows_of_one_id_are_a_warning_and_too_many_a_refusal(tmp_path: Path) -> None:
    case = written(tmp_path)
    text = case.export.read_text().splitlines()
    case.export.write_text("\n".join([*text, text[1], text[2].replace("blue", "violet")]) + "\n")
    outcome = case.build()
    warnings = outcome.as_dict()["data_quality"]["warnings"]
    assert any("1 of 240 ids in column 'record_id' (0.4%) are those of rows that differ" in each for each in warnings)
    assert any("1 of 241 rows equal another one" in each for each in warnings)
    assert case.preview().refusals == []
    many = written(tmp_path / "many", record_id={"from": ["invoice"]})
    many.source["columns"].pop("line")
    again = Written(tmp_path / "again", many.settings, many.source, many.rows)
    with pytest.raises(UserError, match=r"80 of 80 ids in column 'record_id' \(100.0%\).*record_id.from of use_case"):
        again.build()
    assert [code for code, _ in again.preview().refusals] == ["conflicting_ids"]


def test_ids_of_events_are_made_from_columns_too(tmp_path: Path) -> None:
    sql = (
        "SELECT tenant_id, any_value(portfolio_id) AS portfolio_id, count(*) AS calls, "
        "CASE WHEN count(*) > 2 THEN 'many' ELSE 'few' END AS outcome FROM events GROUP BY tenant_id"
    )
    plain = events_of(tmp_path / "plain", sql)
    settings = {**plain.settings, "record_id": {"name": "tenant_id", "from": ["house", "flat"]}}
    columns = {name: column for name, column in plain.source["columns"].items() if name != "tenant_id"}
    rows = {**plain.rows, "House": [f"H {each[1:]}" for each in plain.rows["tenant_id"]], "Flat": ["1-a"] * 300}
    source = {"kind": "events", "columns": {"house": "House", "flat": "Flat", **columns}}
    case = Written(tmp_path, settings, source, rows, sql)
    case.build()
    table = read_features(tmp_path / "job/features/features.parquet", load_use_case(case.folder))
    assert set(table.tenant_id) == {f"H {number}~1-a" for number in range(120)}

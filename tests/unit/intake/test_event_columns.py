"""Columns that a use case declares for its events: every type, every fault, in every format."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenant_experience.erasure.file import Eraser
from tenant_experience.erasure.id import ErasedId
from tenant_experience.erasure.mapping import RawMapping
from tenant_experience.pipeline.batch import Folders
from tenant_experience.pipeline.build_features import build_features
from tenant_experience.pseudonyms import Pseudonyms
from tenant_experience.use_case.schema import load_use_case
from tenant_experience.use_case.source import load_source
from tests.support.engine_use_cases import TRANSACTIONS
from tests.support.raw_reading import Read
from tests.support.sales_files import FAULTS, FORMATS, as_csv, sale

AS_OF = datetime(2026, 2, 1, tzinfo=UTC)


def read(raw: Path, sales: list[dict[str, str | None]], extension: str = ".csv", source: str = "sales") -> Read:
    (raw / f"sales{extension}").write_bytes(FORMATS[extension](sales))
    return Read(raw, TRANSACTIONS, source)


@pytest.mark.parametrize("extension", FORMATS)
def test_every_type_is_read_as_what_it_is(raw: Path, extension: str):
    blank = dict.fromkeys(("unit_price", "paid", "due", "delivered", "order", "remark"))
    found = read(raw, [sale(), sale(client="c2", quantity="-4", **blank)], extension)
    assert found.reasons == []
    full, empty = sorted(found.events, key=lambda event: event["client"])
    assert full == {
        "event_id": None,
        "client": "c1",
        "shop": "North",
        "sold_at": datetime(2026, 1, 2, 10),
        "product": "Tea, green",
        "quantity": 3,
        "price": 2.5,
        "paid": True,
        "due_at": datetime(2026, 2, 1),
        "delivered_at": datetime(2026, 1, 5, 8),
        "order": "Web shop",
        "remark": "said “hello”",
        "recorded_at": None,
        "repeated": False,
    }
    assert (empty["quantity"], empty["product"]) == (-4, "Tea, green")
    assert [empty[name] for name in ("price", "paid", "due_at", "delivered_at", "order", "remark")] == [None] * 6


@pytest.mark.parametrize("extension", FORMATS)
def test_a_value_that_cannot_be_right_costs_its_one_row(raw: Path, extension: str):
    faulty = [sale(**{column: value}) for column, value, *_ in FAULTS]
    good = [sale(client=f"g{place}") for place in range(len(FAULTS))]
    rows = [row for pair in zip(faulty, good, strict=True) for row in pair]
    found = read(raw, rows, extension)
    header = 0 if extension in (".jsonl", ".parquet") else 1
    assert found.reasons == [
        (reason, column, 2 * place + 1 + header) for place, (_, _, reason, column) in enumerate(FAULTS)
    ]
    assert {event["client"] for event in found.events} == {row["Client"] for row in good}


@pytest.mark.parametrize(
    ("column", "value", "name", "meant"),
    [
        ("quantity", "12.0", "quantity", 12),
        ("quantity", "1e2", "quantity", 100),
        ("quantity", "+7", "quantity", 7),
        ("quantity", "1000", "quantity", 1_000),
        ("unit_price", "1e-3", "price", 0.001),
        ("unit_price", "0", "price", 0.0),
        ("paid", "0", "paid", False),
        ("paid", "1.0", "paid", True),
        ("due", "2020-01-01T01:00:00+01:00", "due_at", datetime(2020, 1, 1)),
        ("order", "Phone", "order", "phone"),
        ("order", "web\u00a0shop", "order", "Web shop"),
        ("product", "Tea\u00a0green", "product", "Tea green"),
        ("delivered", "2026-01-02T10:00:00Z", "delivered_at", datetime(2026, 1, 2, 10)),
    ],
)
@pytest.mark.parametrize("extension", FORMATS)
def test_other_spellings_of_a_value_mean_the_same(
    raw: Path, extension: str, column: str, value: str, name: str, meant: object
):
    (event,) = read(raw, [sale(**{column: value})], extension).events
    assert event[name] == meant
    assert type(event[name]) is type(meant)


def test_a_parquet_file_keeps_its_types_to_the_last_digit(raw: Path):
    columns = {
        "Client": pa.array(["c1"]),
        "Shop": pa.array(["North"]),
        "Sold": pa.array([datetime(2026, 1, 2, 10)], pa.timestamp("us")),
        "Product": pa.array(["tea"]).dictionary_encode(),
        "Quantity": pa.array([7.0]),
        "Unit price": pa.array([Decimal("2.50")]),
        "Paid": pa.array([True]),
        "Due": pa.array([datetime(2026, 2, 1).date()]),
        "Delivered": pa.array([None], pa.timestamp("ns")),
        "Order": pa.array([None], pa.string()),
    }
    packed = io.BytesIO()
    pq.write_table(pa.table(columns), packed)
    (raw / "sales.parquet").write_bytes(packed.getvalue())
    (event,) = Read(raw, TRANSACTIONS, "sales").events
    assert (event["quantity"], event["price"], event["paid"]) == (7, 2.5, True)
    assert (event["due_at"], event["delivered_at"], event["order"]) == (datetime(2026, 2, 1), None, None)


def test_whole_numbers_beyond_a_double_are_exact(tmp_path: Path, raw: Path):
    folder = changed(tmp_path, "quantity: {type: integer, minimum: -10, maximum: 1000, ", "quantity: {type: integer, ")
    (raw / "sales.csv").write_bytes(as_csv([sale(quantity="9007199254740993")]))
    (event,) = Read(raw, folder, "sales").events
    assert event["quantity"] == 9_007_199_254_740_993


def changed(tmp_path: Path, before: str, after: str) -> Path:
    folder = tmp_path / "transactions"
    (folder / "sources").mkdir(parents=True)
    for path in TRANSACTIONS.rglob("*.*"):
        text = path.read_text()
        (folder / path.relative_to(TRANSACTIONS)).write_text(text.replace(before, after))
    return folder


def test_without_an_id_of_events_identical_rows_all_count_and_are_counted(raw: Path):
    found = read(raw, [sale(), sale(), sale(), sale(client="c2"), sale(remark="another")])
    assert len(found.events) == 5
    assert [event["repeated"] for event in found.events] == [False] * 5
    assert (found.counts.identical_rows, found.counts.duplicates, found.counts.conflicting_ids) == (2, 0, 0)


def test_with_an_id_of_events_a_row_delivered_twice_counts_once(raw: Path):
    sales = [sale(), sale(), sale(product="Coffee"), sale(invoice="N2"), sale(invoice="N2", client="c2")]
    found = read(raw, sales, source="invoices")
    assert (found.counts.duplicates, found.counts.conflicting_ids, found.counts.identical_rows) == (2, 1, 0)
    assert found.counts.identity_columns == ["client", "sold_at"]
    assert sorted((event["event_id"], event["repeated"]) for event in found.events) == [
        ("N1|Coffee", False),
        *[("N1|Tea, green", True)] * 2,
        *[("N2|Tea, green", True)] * 2,
    ]


def test_a_json_file_of_sales_that_are_not_delivered_lacks_that_key_alone(raw: Path):
    record = {name: value for name, value in sale().items() if name not in ("Delivered", "Remark")}
    (raw / "sales.jsonl").write_text(json.dumps(record))
    (event,) = Read(raw, TRANSACTIONS, "sales").events
    assert event["delivered_at"] is None


def test_features_see_the_columns_with_their_types_and_pages_their_names(tmp_path: Path):
    made = {name: tmp_path / name for name in ("raw", "features", "quarantine", "reports")}
    for folder in made.values():
        folder.mkdir()
    folders = Folders(use_case=TRANSACTIONS, previous=tmp_path / "previous", **made)
    days = [f"{datetime(2026, 1, 1) + timedelta(days=day):%Y-%m-%d}" for day in range(3)]
    sales = [
        sale(client=f"c{place % 2}", sold=days[place % 3], delivered="", quantity=str(place)) for place in range(6)
    ]
    sales += [sale(client="c1", sold=days[0], delivered="", order="phone", unit_price="0.25", quantity="4")] * 2
    sales += [sale(quantity="many")]
    (folders.raw / "sales.csv").write_bytes(as_csv(sales))
    (folders.raw / "manifest.json").write_text(json.dumps({"source": "sales"}))
    outcome = build_features(folders, release="r1", use_case_name="transactions", requested_at=AS_OF)
    rows = {row["client"]: row for row in pq.read_table(folders.features / "features.parquet").to_pylist()}
    assert (rows["c0"]["purchases"], rows["c0"]["spent"], rows["c0"]["web_share"]) == (3, (0 + 2 + 4) * 2.5, 1)
    assert (rows["c1"]["purchases"], rows["c1"]["spent"], rows["c1"]["web_share"]) == (5, (1 + 3 + 5) * 2.5 + 2, 0.6)
    assert outcome.figures["quarantined"] == 1
    (warning,) = outcome.figures["data_quality"]["warnings"]
    assert warning.startswith("1 of 8 rows are the same as another row in every column")
    page = (folders.reports / "data_quality.html").read_text()
    assert "(UTC, sold at)" in page
    assert "events with more than one delivered at" in page
    assert "not an integer" in page
    assert "channel" not in page
    assert "opened" not in page


def test_a_pseudonym_stands_for_the_declared_id_in_rows_and_in_quarantine(raw: Path):
    (raw / "sales.csv").write_bytes(as_csv([sale(), sale(client="c2", quantity="many")]))
    hidden = Pseudonyms(b"k" * 64, "client", "sensitive")
    found = Read(raw, TRANSACTIONS, "sales", hidden)
    assert [event["client"] for event in found.events] == [hidden.of("c1")]
    assert [(row["raw_client"], row["raw_quantity"]) for row in found.quarantine] == [(hidden.of("c2"), "many")]


@pytest.mark.parametrize("extension", FORMATS)
def test_erasing_a_client_leaves_everybody_elses_sales(tmp_path: Path, raw: Path, extension: str):
    sales = [sale(), sale(client="c2", remark="about c1"), sale(quantity="9")]
    (raw / f"sales{extension}").write_bytes(FORMATS[extension](sales))
    source = load_source(TRANSACTIONS, "invoices", load_use_case(TRANSACTIONS))
    with RawMapping.open(source, "client", ErasedId(("c1",))) as mapping:
        eraser = Eraser(ErasedId(("c1",)), "client", mapping, is_raw=True)
        target = tmp_path / "target"
        erased = eraser.erase(raw / f"sales{extension}", f"sales{extension}", target)
    assert erased.left == "rewritten"
    target.replace(raw / f"sales{extension}")
    (event,) = Read(raw, TRANSACTIONS, "invoices").events
    assert (event["client"], event["event_id"], event["remark"]) == ("c2", "N1|Tea, green", "about c1")

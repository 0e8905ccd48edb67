"""What a score batch answers, and what it puts among the errors, from ids, features and events."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenant_experience.data_layout import FEATURES_FILE, PLAN_FILE
from tenant_experience.errors import PlatformError, UserError
from tenant_experience.features.table import read_features
from tenant_experience.models.served_model import ServedModel
from tenant_experience.scoring.answers import SCHEMA, write_csv
from tenant_experience.scoring.manifest import ScoringManifest
from tenant_experience.scoring.prepare import LiveFeatures
from tenant_experience.scoring.publish import REFUSED, Answers, check_counts, in_order, write_files
from tenant_experience.use_case.schema import load_use_case
from tests.support.loans import loans
from tests.support.score_batches import SCORED_AT, Scoring
from tests.support.written_use_case import events_of, table_of

IDS = {"source": "ids"}
HEADER = "c0,c1,c2,c3\n"
SQL = (
    "SELECT tenant_id, portfolio_id, CAST(count(*) AS DOUBLE) AS calls, "
    "CASE WHEN count(*) = 2 THEN 'few' ELSE 'many' END AS outcome FROM events GROUP BY ALL"
)


@pytest.fixture(scope="module")
def scoring(tmp_path_factory: pytest.TempPathFactory) -> Scoring:
    """Two branches with a model of their own, and one without: there is no global model."""
    base = tmp_path_factory.mktemp("scoring")
    models = {"scope": "per_partition", "minimum_tenants": 60, "fallback": False}
    written = table_of(base / "written", 360, partitions=[*["north", "south"] * 3, "tiny"], models=models)
    written.release()
    return Scoring(written, base / "batches", ["north", "south"])


def csv_of(*rows: str) -> dict[str, bytes]:
    return {"rows.csv": (HEADER + "".join(f"{row}\n" for row in rows)).encode()}


def offline(scoring: Scoring, record: str, slug: str) -> float:
    """What the model says, as the evaluation asks it."""
    table = read_features(scoring.written.base / "job/features" / FEATURES_FILE, load_use_case(scoring.written.folder))
    served = ServedModel.load(scoring.written.base / "models" / slug)
    one = table.take(np.asarray([record == each for each in table.tenant_id]))
    return float(served.publish(served.scorer.encoding.matrix(one)).outputs[0])


def test_ids_are_answered_by_the_features_that_are_live(scoring: Scoring) -> None:
    scored = scoring.score({"ids.csv": b"client\nK0\nK1\nnobody\nK0\n"}, IDS)
    assert [row["record_id"] for row in scored.rows] == ["K0", "K1"]
    assert scored.of("K0")["probability"] == pytest.approx(offline(scoring, "K0", "north"), abs=1e-9)
    assert scored.of("K1")["probability"] == pytest.approx(offline(scoring, "K1", "south"), abs=1e-9)
    assert (scored.of("K0")["portfolio_id"], scored.of("K0")["scored_at"]) == ("north", SCORED_AT)
    (error,) = scored.errors
    assert (error["record_id"], error["reason"]) == ("nobody", "no_features")
    figures = scored.outcome.figures
    assert (figures["rows"], figures["repeated"], figures["records"], figures["errors"]) == (4, 1, 3, 1)


def test_everybody_who_is_live_is_answered_but_for_a_partition_without_a_model(scoring: Scoring) -> None:
    scored = scoring.score({}, None)
    assert len(scored.rows) == 309
    assert Counter((error["portfolio_id"], error["reason"]) for error in scored.errors) == {
        ("tiny", "no_live_model"): 51
    }


def test_features_that_come_with_the_batch_decide(scoring: Scoring) -> None:
    scored = scoring.score(csv_of("N1,north,3,red", "N2,south,90,blue", "N3,tiny,1,red", "N4,north,5,never"), {})
    assert scored.of("N1")["probability"] != scored.of("N2")["probability"]
    assert scored.of("N4")["unknown_categories"] == ["colour"]
    assert [(error["record_id"], error["reason"]) for error in scored.errors] == [("N3", "no_live_model")]


@pytest.mark.parametrize("rows", [10, 0])
def test_a_file_of_a_few_rows_or_of_its_header_alone(scoring: Scoring, rows: int) -> None:
    scored = scoring.score(csv_of(*(f"N{row},north,{row},red" for row in range(rows))), {})
    assert (len(scored.rows), scored.errors) == (rows, [])
    assert pq.read_table(scored.folder / "part-00000.parquet").num_rows == rows


@pytest.mark.parametrize(
    ("files", "manifest", "errors"),
    [
        ({"ids.csv": b"client\n"}, IDS, 0),
        ({"ids.csv": b"client\nnobody\n"}, IDS, 1),
        ({"rows.csv": HEADER.encode()}, {}, 0),
        (csv_of("N1,tiny,1,red"), {}, 1),
        (csv_of("N1,north,1e39,red"), {}, 1),
    ],
)
def test_a_batch_for_which_no_model_is_asked_has_no_answers_and_its_errors(
    scoring: Scoring, files: dict[str, bytes], manifest: dict[str, Any], errors: int
) -> None:
    scored = scoring.score(files, manifest)
    assert (scored.outcome.figures["plan"]["items"], scored.rows, len(scored.errors)) == ([], [], errors)


def test_nobody_is_live(scoring: Scoring, tmp_path: Path) -> None:
    table = pq.read_table(scoring.written.base / "job/features" / FEATURES_FILE)
    pq.write_table(table.slice(0, 0), tmp_path / FEATURES_FILE)
    scored = scoring.score({}, None, [LiveFeatures(tmp_path / FEATURES_FILE)])
    assert (scored.outcome.figures["records"], scored.rows, scored.errors) == (0, [], [])


def test_a_poisoned_row_is_among_the_errors_with_its_place_and_costs_nobody_else(scoring: Scoring) -> None:
    rows = [f"N{row},north,{row},red" for row in range(9)]
    rows[4] = "N4,north,many,red"
    scored = scoring.score(csv_of(*rows), {})
    assert len(scored.rows) == 8
    (error,) = scored.errors
    assert (error["reason"], error["column_name"], error["file"], error["line"]) == (
        "not_a_number",
        "amount",
        "rows.csv",
        6,
    )


def test_a_file_of_nothing_but_poisoned_rows_costs_other_files_no_answer(scoring: Scoring) -> None:
    files = csv_of("N1,north,3,red") | {"more.csv": f"{HEADER}N2,north,many,red\n".encode()}
    scored = scoring.score(files, {})
    assert [row["record_id"] for row in scored.rows] == ["N1"]
    assert [(each["reason"], each["file"], each["line"]) for each in scored.errors] == [("not_a_number", "more.csv", 2)]


def test_records_of_several_examples_are_answered_by_the_last_one_that_is_not_later(tmp_path: Path) -> None:
    written = loans(tmp_path / "written", 60)
    models = written.release()
    several = Scoring(written, tmp_path / "batches", models)
    live = pq.read_table(written.base / "job/features" / FEATURES_FILE).to_pylist()
    scored = several.score({"ids.csv": b"client\nCLIENT-0001\nnobody\nCLIENT-0001\n"}, IDS)
    (as_of,) = (row["as_of"] for row in live if row["client"] == "CLIENT-0001")
    assert [(row["record_id"], row["as_of"]) for row in scored.rows] == [("CLIENT-0001", f"{as_of:%Y-%m-%dT%H:%M:%SZ}")]
    assert [(each["record_id"], each["reason"]) for each in scored.errors] == [("nobody", "no_features")]
    rows = (
        "N1,north,2026-01-01,90,red,",
        "N1,north,2026-06-01,150,red,",
        "N1,north,2026-12-01,90,red,",
        "N2,,never,1,,",
    )
    scored = several.score({"rows.csv": "\n".join(["c,b,granted,a,k,o", *rows]).encode()}, {})
    assert [(row["record_id"], row["as_of"]) for row in scored.rows] == [("N1", "2026-06-01T00:00:00Z")]
    assert [(each["reason"], each["line"]) for each in scored.errors] == [("future_time", 4), ("unreadable_time", 5)]


def test_numbers_that_no_model_can_read_are_errors(scoring: Scoring) -> None:
    scored = scoring.score(csv_of("N1,north,1e39,red", "N2,north,-1e39,red", "N3,north,2,red"), {})
    assert [row["record_id"] for row in scored.rows] == ["N3"]
    assert {error["reason"] for error in scored.errors} == {"number_too_large"}


def test_a_truncated_file_refuses_the_batch_by_name(scoring: Scoring) -> None:
    whole = io.BytesIO()
    pq.write_table(pa.table({"c0": ["N1"], "c1": ["north"], "c2": [1.0], "c3": ["red"]}), whole)
    with pytest.raises(UserError) as caught:
        scoring.prepare({"rows.parquet": whole.getvalue()[:-20]}, {})
    assert (caught.value.code, "rows.parquet" in caught.value.message) == ("corrupt_file", True)
    with pytest.raises(UserError, match="is empty"):
        scoring.prepare({"rows.csv": b""}, {})


def test_a_later_batch_without_training_adds_to_what_is_live(scoring: Scoring, tmp_path: Path) -> None:
    """The online store has the records of both; of one that is in both, the later features."""
    first = scoring.written.base / "job/features" / FEATURES_FILE
    table = pq.read_table(first)
    key = table.schema.get_field_index("client")
    newer = table.slice(0, 2).set_column(key, "client", pa.array(["K0", "new"]))
    as_of = table.schema.get_field_index("as_of")
    later = pa.array(
        [pa.scalar(value.as_py().replace(year=2027)) for value in newer["as_of"]], newer.schema[as_of].type
    )
    (tmp_path / "later").mkdir()
    pq.write_table(newer.set_column(as_of, newer.schema[as_of], later), tmp_path / "later" / FEATURES_FILE)
    path = tmp_path / "later" / FEATURES_FILE
    scored = scoring.score({}, None, [LiveFeatures(first), LiveFeatures(path)])
    assert len(scored.rows) + len(scored.errors) == 361
    assert scored.of("K0")["as_of"].startswith("2027")
    assert scored.of("K3")["as_of"].startswith("2026")
    # Of a release whose partition north was rejected, only the other records are live.
    scored = scoring.score({}, None, [LiveFeatures(first), LiveFeatures(path, without=("north",))])
    assert len(scored.rows) + len(scored.errors) == 361
    assert scored.of("K0")["as_of"].startswith("2026")
    assert scored.of("new")["as_of"].startswith("2027")
    # Once the first is served again, its records count, and those that only the later batch had stay.
    again = LiveFeatures(first, again=True)
    scored = scoring.score({}, None, [LiveFeatures(first), LiveFeatures(path), again])
    assert len(scored.rows) + len(scored.errors) == 361
    assert scored.of("K0")["as_of"].startswith("2026")
    assert scored.of("new")["as_of"].startswith("2027")
    assert scoring.score({}, None, [again, LiveFeatures(path)]).of("K0")["as_of"].startswith("2027")


def test_events_become_features_by_the_same_sql(tmp_path: Path) -> None:
    written = events_of(tmp_path / "written", SQL)
    written.release()
    rows = ["event_id,tenant_id,portfolio_id,channel,opened_at"]
    rows += [f"X{n},NEW,north,call,2026-0{6 + n}-03T10:00:00Z" for n in range(3)] + ["X9,BAD,north,letter,2026-06-01"]
    scored = Scoring(written, tmp_path / "batches", ["all"]).score({"new.csv": "\n".join(rows).encode()}, {})
    assert [row["record_id"] for row in scored.rows] == ["NEW"]
    assert scored.of("NEW")["answer"] == "many"
    assert [(error["file"], error["line"]) for error in scored.errors] == [("new.csv", 5)]


def test_a_record_with_impossible_features_is_among_the_errors_by_its_id(tmp_path: Path) -> None:
    sql = SQL.replace("count(*) AS DOUBLE)", "count(*) AS DOUBLE) * CASE max(channel) WHEN 'visit' THEN -1 ELSE 1 END")
    written = events_of(tmp_path / "written", sql)
    models = written.release()
    rows = ["event_id,tenant_id,portfolio_id,channel,opened_at", "X1,GOOD,north,call,2026-06-03"]
    rows += ["X2,BAD,north,visit,2026-06-03"]
    scored = Scoring(written, tmp_path / "batches", models).score({"new.csv": "\n".join(rows).encode()}, {})
    assert [row["record_id"] for row in scored.rows] == ["GOOD"]
    assert [(each["record_id"], each["reason"], each["column_name"]) for each in scored.errors] == [
        ("BAD", "out_of_range", "calls")
    ]
    figures = scored.outcome.figures
    assert (figures["records"], figures["to_answer"], figures["errors"], figures["quarantined"]) == (2, 1, 1, 0)


def test_pseudonyms_replace_ids_in_everything_that_is_written(scoring: Scoring) -> None:
    scored = scoring.score(csv_of("N1,north,3,red", "N3,tiny,1,red"), {}, pseudonym_key=b"secret")
    named = [*scored.rows, *scored.errors]
    assert len(named) == 2
    assert all(len(row["record_id"]) == 32 for row in named)
    assert b"N1" not in (scored.folder / "part-00000.parquet").read_bytes()


def test_a_key_of_null_is_a_key_that_is_not_there() -> None:
    assert ScoringManifest.parse(dict.fromkeys(("source", "as_of", "format"))) == ScoringManifest()


def test_answers_are_also_written_for_a_spreadsheet(scoring: Scoring) -> None:
    scored = scoring.score(csv_of("N1,north,3,red"), {"format": "csv"})
    header, line = (scored.folder / "_part-00000.csv").read_text().splitlines()
    assert header.startswith("record_id,portfolio_id,partition,status,answer")
    assert line.startswith("N1,north,north,scored,")


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_no_text_of_the_answers_becomes_a_formula_in_a_spreadsheet(tmp_path: Path, start: str) -> None:
    row: dict[str, Any] = dict.fromkeys(SCHEMA.names)
    row |= {"record_id": f"{start}1+2", "portfolio_id": f"{start}cmd", "reasons": [f"{start}HYPERLINK(1)", "second"]}
    row |= {"unknown_categories": [f"{start}x"], "probability": 0.5, "value": -1.5, "probabilities": {"=a": 0.5}}
    write_csv([row], tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        (read,) = csv.DictReader(file)
    assert read["record_id"] == f" {start}1+2"
    assert (read["portfolio_id"], read["unknown_categories"]) == (f" {start}cmd", f" {start}x")
    assert read["reasons"] == f" {start}HYPERLINK(1); second"
    assert (read["probability"], read["value"], read["probabilities"]) == ("0.5", "-1.5", '{"=a": 0.5}')


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ({"train": False}, "unknown key 'train'"),
        ({"format": "xlsx"}, "'format' must be one of parquet, csv"),
        ({"source": ""}, "'source' must be the name of a source, not \"\""),
        ({"source": "ids", "as_of": "2026-11-01T00:00:00Z"}, "would change nothing for ids"),
        ({"source": "nothing"}, "there is no source 'nothing'"),
    ],
)
def test_a_wrong_manifest_refuses_the_batch(scoring: Scoring, manifest: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        scoring.prepare(csv_of("N1,north,3,red"), manifest)


def test_a_batch_transform_gets_its_rows_in_files_and_its_answers_are_joined_by_id(scoring: Scoring) -> None:
    rows = csv_of(*(f"N{row},north,{row},red" for row in range(7)), "S1,south,1,red")
    whole = scoring.score(rows, {})
    transforming = Scoring(scoring.written, scoring.base / "transforms", scoring.models, transform_rows=5)
    outcome, prepared = transforming.prepare(rows, {})
    transform, rest = json.loads((prepared / PLAN_FILE).read_text())["items"]
    assert [(item["name"], "partitions" in item, "models" in item) for item in outcome.figures["plan"]["items"]] == [
        ("north-0", False, False),
        ("rest", False, False),
    ]
    assert (transform["kind"], transform["slug"], transform["rows"]) == ("transform", "north", 7)
    assert [model["slug"] for model in rest["models"]] == ["south"]
    requests = [json.loads(line) for file in prepared.rglob("*.jsonl") for line in file.read_text().splitlines()]
    assert {line["tenant_id"] for line in requests} == {f"N{row}" for row in range(7)}
    assert requests[0]["features"] == {"branch": "north", "amount": 0.0, "colour": "red"}
    said = {"status": "scored", "experience": "leaves", "probability": 0.25, "model_version": "r1", "scale": "local"}
    refused = {"status": "refused", "error": {"code": "x"}, "model_version": "r1", "scale": "local"}
    answered = prepared.parent / "answered/north"
    answered.mkdir(parents=True)
    lines = [{"tenant_id": line["tenant_id"], "SageMakerOutput": said} for line in requests[:-1]]
    lines.append({"tenant_id": requests[-1]["tenant_id"], "SageMakerOutput": refused})
    (answered / "part-00000.jsonl.out").write_text("".join(json.dumps(line) + "\n" for line in lines))
    answers = Answers(prepared, answered.parent, transforming.run)
    found = {row["record_id"]: row["probability"] for row in answers}
    assert found == {line["tenant_id"]: 0.25 for line in requests[:-1]}
    assert [(row["record_id"], row["reason"]) for row in answers.refused] == [(requests[-1]["tenant_id"], REFUSED)]
    assert len(whole.rows) == len(found) + len(answers.refused) + 1
    none = [line | {"SageMakerOutput": refused} for line in lines]
    (answered / "part-00000.jsonl.out").write_text("".join(json.dumps(line) + "\n" for line in none))
    answers = Answers(prepared, answered.parent, transforming.run)
    assert write_files(answers, prepared.parent / "none", csv=True) == 0
    assert len(answers.refused) == len(lines)
    for others in (lines[:-1], [lines[1], lines[0], *lines[2:]]):
        (answered / "part-00000.jsonl.out").write_text("".join(json.dumps(line) + "\n" for line in others))
        with pytest.raises(PlatformError) as caught:
            list(Answers(prepared, answered.parent, transforming.run))
        assert caught.value.code == "counts_differ"


def test_answers_in_several_files_are_read_in_the_order_in_which_rows_were_dealt_out(tmp_path: Path) -> None:
    paths = [tmp_path / f"part-{place:05d}.jsonl.out" for place in range(3)]
    said = {"status": "refused", "error": {"code": "x"}}
    for place, path in enumerate(paths):
        lines = [{"tenant_id": f"K{record}", "SageMakerOutput": said} for record in range(place, 8, 3)]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [record for record, _ in in_order(paths)] == [f"K{record}" for record in range(8)]


def test_counts_that_do_not_add_up_fail_by_name() -> None:
    counts = {"records": 12, "to_answer": 10, "errors": 2}
    check_counts(counts, 9, 1)
    for answers, refused in ((9, 0), (11, 0), (10, 1)):
        with pytest.raises(PlatformError) as caught:
            check_counts(counts, answers, refused)
        assert caught.value.code == "counts_differ"

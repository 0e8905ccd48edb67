"""Records that the live release answers for, without training: ``"train": false`` in manifest.json."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tenant_experience.errors import TenantExperienceError
from tenant_experience.features.records import read_records
from tenant_experience.jobs.instance_resources import InstanceShare
from tenant_experience.use_case.schema import load_use_case
from tests.support.html_pages import words_of
from tests.support.loans import loans
from tests.support.written_use_case import AS_OF, Written, events_of, table_of

NO_TRAINING: dict[str, Any] = {"train": False}
SQL = (
    "SELECT tenant_id, portfolio_id, CAST(count(*) AS DOUBLE) AS calls, "
    "CASE WHEN count(*) = 2 THEN 'few' WHEN count(*) = 3 THEN 'many' ELSE 'lots' END AS outcome "
    "FROM events GROUP BY ALL"
)


def features(written: Written) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(written.base / "job/features/features.parquet").to_pylist()
    return rows


def quality(written: Written) -> Any:
    return json.loads((written.base / "job/reports/data_quality.json").read_text())


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The features of a release of 240 labelled records."""
    written = table_of(tmp_path_factory.mktemp("live"))
    assert written.build().figures["train"] is True
    return written.base / "job/features"


def new_records(base: Path, rows: int = 120, **changes: Any) -> Written:
    """Records with other ids, whose file has no column of labels."""
    written = table_of(base, rows, **changes)
    ids, label = written.source["columns"]["client"], written.source["columns"]["outcome"]
    kept = {name: values for name, values in written.rows.items() if name != label}
    kept[ids] = [f"N{place}" for place in range(rows)]
    return Written(base / "new", written.settings, written.source, kept)


def refusal(written: Written, manifest: dict[str, Any], previous: Path | None) -> TenantExperienceError:
    with pytest.raises(TenantExperienceError) as caught:
        written.build(manifest, previous)
    return caught.value


def test_records_without_labels_get_features_and_nothing_is_trained(tmp_path: Path, live: Path) -> None:
    written = new_records(tmp_path)
    figures = written.build(NO_TRAINING, live).figures
    assert (figures["train"], figures["shards"], figures["tenants"]) == (False, 0, 120)
    assert figures["data_quality"]["warnings"] == []
    assert not (written.base / "job/features/partitions.json").exists()
    rows = features(written)
    assert {(row["partition_slug"], row["outcome"], row["may_train"]) for row in rows} == {("all", None, False)}
    told = quality(written)
    assert (told["answered_by"], told["comparison"]["compared"], told["left_out"]) == ("r1", True, {})
    assert "labels" not in told
    page = words_of((written.base / "job/reports/data_quality.html").read_text())
    assert "Nothing was trained on this batch" in page
    assert "240 records that are not in this batch" in page
    assert "enough history to train" not in page
    assert "null for every tenant that may train" not in page


def test_labels_that_are_there_are_not_read(tmp_path: Path, live: Path) -> None:
    """Whatever stands in their column: a class of its own, a question mark, or nothing."""
    written = table_of(tmp_path)
    label = written.source["columns"]["outcome"]
    rows = {**written.rows, label: ["?", "", "unknown", "leaves"] * 60}
    written = Written(tmp_path / "new", written.settings, written.source, rows)
    assert written.build(NO_TRAINING, live).figures["quarantined"] == 0
    assert {row["outcome"] for row in features(written)} == {None}


def test_the_source_of_such_a_batch_need_not_map_the_label(tmp_path: Path, live: Path) -> None:
    written = new_records(tmp_path)
    columns = {ours: theirs for ours, theirs in written.source["columns"].items() if ours != "outcome"}
    unmapped = Written(tmp_path / "unmapped", written.settings, {"kind": "table", "columns": columns}, written.rows)
    assert unmapped.build(NO_TRAINING, live).figures["tenants"] == 120
    trained = Written(tmp_path / "trained", written.settings, {"kind": "table", "columns": columns}, written.rows)
    refused = refusal(trained, {}, live)
    assert refused.code == "invalid_source"
    assert "source 'export' maps no column to outcome" in refused.message
    assert 'write "train": false into manifest.json' in refused.message


@pytest.mark.parametrize(
    ("labels", "code"), [(None, "missing_column"), ([""], "too_few_tenants"), (["stays"], "missing_class")]
)
def test_a_refusal_for_missing_labels_says_how_to_get_answers_without(
    tmp_path: Path, labels: list[str] | None, code: str
) -> None:
    """Not one of them blames the history of records from a table."""
    written = new_records(tmp_path)
    label = written.source["columns"]["outcome"]
    rows = written.rows if labels is None else {**written.rows, label: labels * 120}
    refused = refusal(Written(tmp_path / "labels", written.settings, written.source, rows), {}, None)
    assert refused.code == code
    assert 'write "train": false into manifest.json' in refused.message
    assert "days or more" not in refused.message


def test_a_batch_with_few_labels_trains_on_them_and_serves_all(tmp_path: Path) -> None:
    written = table_of(tmp_path)
    label = written.source["columns"]["outcome"]
    labels = [name if place < 80 else "" for place, name in enumerate(written.rows[label])]
    mixed = Written(tmp_path / "mixed", written.settings, written.source, {**written.rows, label: labels})
    figures = mixed.build().figures
    assert (figures["tenants"], figures["quarantined"], figures["data_quality"]["may_train"]) == (240, 0, 80)
    assert Counter(row["may_train"] for row in features(mixed)) == {True: 80, False: 160}
    assert sum(row["outcome"] is None for row in features(mixed)) == 160
    page = words_of((mixed.base / "job/reports/data_quality.html").read_text())
    assert "80 records have a label in outcome, so that a model may be trained on them." in page
    assert "enough history to train" not in page


def test_more_records_without_labels_than_before_are_a_warning(tmp_path: Path, live: Path) -> None:
    """No gate refuses them: they are served, and the models are trained on the others."""
    written = table_of(tmp_path)
    label = written.source["columns"]["outcome"]
    labels = [name if place < 80 else "" for place, name in enumerate(written.rows[label])]
    mixed = Written(tmp_path / "mixed", written.settings, written.source, {**written.rows, label: labels})
    figures = mixed.build(previous=live).figures
    assert figures["tenants"] == 240
    (warning,) = [each for each in figures["data_quality"]["warnings"] if "without a value in the label" in each]
    assert "the label outcome grew from 0.0% in release r1 to 66.7%" in warning


def test_a_column_that_only_the_split_reads_is_no_feature_of_the_live_models(tmp_path: Path) -> None:
    first = loans(tmp_path, columns={"city": "city"}, split={"by": "city"})
    outcome = first.build()
    shutil.copytree(tmp_path / "job/features", tmp_path / "live")
    outcome.write(tmp_path / "live")
    figures = first.build(NO_TRAINING, tmp_path / "live").figures
    assert (figures["train"], figures["tenants"], figures["data_quality"]["may_train"]) == (False, 150, 0)
    assert not (tmp_path / "job/features/examples.parquet").exists()
    newest = {client: max(at for each, at in _loans_of(first) if each == client) for client, _ in _loans_of(first)}
    assert {row["client"]: f"{row['as_of']:%Y-%m-%dT%H:%M:%SZ}" for row in features(first)} == newest


def _loans_of(written: Written) -> list[tuple[str, str]]:
    return list(zip(written.rows["c"], written.rows["granted"], strict=True))


def test_without_a_live_release_there_is_nobody_to_answer(tmp_path: Path) -> None:
    refused = refusal(new_records(tmp_path), NO_TRAINING, None)
    assert (refused.fault, refused.code) == ("user", "no_live_release")
    assert "no release of written is live" in refused.message


def test_each_partition_is_answered_by_its_own_live_model(tmp_path: Path) -> None:
    """However few of its records there are; the others have the global model."""
    scope = {"models": {"scope": "per_partition", "minimum_tenants": 150}}
    released = table_of(tmp_path / "live", 300, partitions=["north", "north", "south"], **scope)
    assert released.build().figures["shards"] == 1
    written = new_records(tmp_path / "records", 40, partitions=["north", "south", "west"], **scope)
    figures = written.build(NO_TRAINING, released.base / "job/features").figures
    assert {(row["branch"], row["partition_slug"]) for row in features(written)} == {
        ("north", "north"),
        ("south", "all"),
        ("west", "all"),
    }
    assert not [each for each in figures["data_quality"]["warnings"] if "no_live_model" in each]


def test_records_that_no_model_answers_for_are_named(tmp_path: Path) -> None:
    scope = {"models": {"scope": "per_partition", "minimum_tenants": 100, "fallback": False}}
    released = table_of(tmp_path / "live", 300, partitions=["north"], **scope)
    released.build()
    features_of_live = released.base / "job/features"
    some = new_records(tmp_path / "some", 40, partitions=["north", "west"], **scope)
    (warning,) = [
        each
        for each in some.build(NO_TRAINING, features_of_live).figures["data_quality"]["warnings"]
        if "no_live_model" in each
    ]
    assert warning.startswith("20 records are of partitions without a model in the live release, such as 'west'")
    none = refusal(new_records(tmp_path / "none", 40, partitions=["west"], **scope), NO_TRAINING, features_of_live)
    assert none.code == "no_live_model"


def test_a_feature_that_the_live_models_read_must_be_there(tmp_path: Path, live: Path) -> None:
    gone = new_records(tmp_path / "gone", features={"amount": {}})
    refused = refusal(gone, NO_TRAINING, live)
    assert refused.code == "missing_features"
    assert "read the feature 'colour', but use_case.yaml no longer declares it" in refused.message
    other = new_records(tmp_path / "other", features={"amount": {"kind": "category"}, "colour": {"kind": "category"}})
    assert "now declares it as a category" in refusal(other, NO_TRAINING, live).message
    optional = {"amount": {"optional": True}, "colour": {"kind": "category"}}
    unmapped = new_records(tmp_path / "unmapped", features=optional)
    columns = {ours: theirs for ours, theirs in unmapped.source["columns"].items() if ours != "amount"}
    source = {"kind": "table", "columns": columns}
    unmapped = Written(tmp_path / "source", unmapped.settings, source, unmapped.rows)
    assert "source 'export' maps no column to it" in refusal(unmapped, NO_TRAINING, live).message


def shifted(base: Path, rows: int) -> Written:
    written = new_records(base, rows)
    amount = written.source["columns"]["amount"]
    moved = {**written.rows, amount: [1_000 + value for value in written.rows[amount]]}
    return Written(base / "shifted", written.settings, written.source, moved)


def test_gates_on_data_hold_and_a_shift_can_be_accepted(tmp_path: Path, live: Path) -> None:
    refused = refusal(shifted(tmp_path / "refused", 120), NO_TRAINING, live)
    assert refused.code == "feature_shift"
    assert '"accept": ["feature_shift"] in manifest.json: the live models then answer' in refused.message
    accepted = shifted(tmp_path / "accepted", 120).build({**NO_TRAINING, "accept": ["feature_shift"]}, live)
    assert accepted.figures["data_quality"]["warnings"][0].startswith("manifest.json accepts")


def test_a_few_records_are_not_refused_for_their_shares(tmp_path: Path, live: Path) -> None:
    written = shifted(tmp_path, 5)
    colour = written.source["columns"]["colour"]
    written = Written(tmp_path / "few", written.settings, written.source, {**written.rows, colour: [""] * 5})
    warnings = written.build(NO_TRAINING, live).figures["data_quality"]["warnings"]
    assert any("feature colour: the share of records without a value grew" in each for each in warnings)
    assert all("there are fewer than 30 records" in each for each in warnings if "the gate" in each)


def test_rows_that_cannot_be_right_are_refused_as_ever(tmp_path: Path, live: Path) -> None:
    written = new_records(tmp_path, 120)
    amount = written.source["columns"]["amount"]
    rows = {**written.rows, amount: ["much"] * 20 + written.rows[amount][20:]}
    assert refusal(Written(tmp_path / "bad", written.settings, written.source, rows), NO_TRAINING, live).code == (
        "too_many_bad_rows"
    )


@pytest.mark.parametrize(
    "key", [{"tuning": True}, {"models": "global"}, {"hyperparameters": {"seed": 1}}, {"outcomes": "outcomes"}]
)
def test_keys_of_training_are_refused_beside_it(tmp_path: Path, live: Path, key: dict[str, Any]) -> None:
    refused = refusal(new_records(tmp_path), {**NO_TRAINING, **key}, live)
    assert refused.code == "invalid_manifest"
    assert f"""manifest.json says "train": false, so key '{next(iter(key))}' would change nothing""" in refused.message


def test_features_from_sql_are_served_in_the_same_way(tmp_path: Path) -> None:
    released = events_of(tmp_path / "live", SQL)
    released.build()
    written = events_of(tmp_path / "records", SQL, tenants=40)
    figures = written.build(NO_TRAINING, released.base / "job/features").figures
    assert (figures["train"], figures["tenants"]) == (False, 40)
    assert {(row["outcome"], row["may_train"]) for row in features(written)} == {(None, False)}


@pytest.mark.parametrize("value", ["'lots'", "'?'", "CAST(NULL AS VARCHAR)"])
def test_labels_of_sql_are_not_read_either(tmp_path: Path, value: str) -> None:
    released = events_of(tmp_path / "live", SQL)
    released.build()
    sql = "SELECT tenant_id, portfolio_id, count(*) AS calls, ? AS outcome FROM events GROUP BY ALL".replace("?", value)
    written = events_of(tmp_path / "records", sql, tenants=40)
    figures = written.build(NO_TRAINING, released.base / "job/features").figures
    assert (figures["tenants"], figures["quarantined"]) == (40, 0)


@pytest.mark.parametrize("kind", ["table", "sql"])
def test_a_label_that_is_no_class_costs_its_record_wherever_it_comes_from(tmp_path: Path, kind: str) -> None:
    """As many as the gate quarantine_share allows; then the batch, with the classes in the refusal."""

    def batch(base: Path, wrong: int) -> Written:
        if kind == "sql":
            sql = SQL.replace("count(*) = 2", f"min(substr(tenant_id, 2)::INT) < {wrong} THEN 'lots' WHEN count(*) = 2")
            return events_of(base, sql)
        written = table_of(base, 120)
        label = written.source["columns"]["outcome"]
        labels = ["lots"] * wrong + written.rows[label][wrong:]
        return Written(base / "wrong", written.settings, written.source, {**written.rows, label: labels})

    few = batch(tmp_path / "few", 3)
    assert few.build().figures["tenants"] == 117
    (reason,) = quality(few)["quarantined_by_reason"]
    assert (reason["reason"], reason["column"], reason["rows"]) == ("unknown_class", "outcome", 3)
    refused = refusal(batch(tmp_path / "many", 12), {}, None)
    assert refused.code == "too_many_bad_rows"
    assert "unknown_class" in refused.message
    assert "labels.classes" in refused.message


def test_groups_need_no_other_switch(tmp_path: Path) -> None:
    grouped = {
        "labels": {"from": "clusters", "classes": ["good", "bad"], "positive": "bad"},
        "clustering": {"markers": ["calls", "repeats"]},
        "features": {"calls": {"more_is": "worse"}, "repeats": {"more_is": "worse"}},
    }
    sql = "SELECT tenant_id, portfolio_id, count(*) AS calls, count(*) % 2 AS repeats FROM events GROUP BY ALL"
    released = events_of(tmp_path / "live", sql, **grouped)
    released.build()
    written = events_of(tmp_path / "records", sql, tenants=40, **grouped)
    assert written.build(NO_TRAINING, released.base / "job/features").figures["shards"] == 0
    assert not (written.base / "job/features/past").exists()
    assert len(features(written)) == 40


def test_records_carry_the_batch_that_they_came_with(tmp_path: Path, live: Path) -> None:
    written = new_records(tmp_path, 40)
    written.build({**NO_TRAINING, "as_of": f"{AS_OF - timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}"}, live)
    use_case = load_use_case(written.folder)
    path = written.base / "job/features/features.parquet"
    records = list(read_records(path, use_case, "batch-2", InstanceShare("algo-1", 0, 1)))
    assert {record["release"] for record in records} == {"batch-2"}
    assert {record["as_of"] for record in records} == {"2026-10-29T00:00:00Z"}
    assert "outcome" not in records[0]
    (warning,) = quality(written)["warnings"]
    assert warning.endswith("records that are served as of a later moment keep what they have")


def test_training_can_be_asked_for_by_name_too(tmp_path: Path) -> None:
    assert table_of(tmp_path).build({"train": True}).figures["train"] is True


def test_a_preview_shows_what_would_be_answered_and_asks_no_gate_of_training(tmp_path: Path) -> None:
    written = new_records(tmp_path, 20)
    shown = written.preview(train=False)
    assert shown.refusals == []
    assert (shown.quality["tenants"], shown.quality["may_train"], shown.quality["left_out"]) == (20, 0, {})


def test_outcomes_are_refused_where_the_use_case_declares_none(tmp_path: Path) -> None:
    refused = refusal(table_of(tmp_path), {"outcomes": "survey"}, None)
    assert refused.code == "invalid_manifest"
    assert "manifest.json has the key 'outcomes', but use_case.yaml of written has no key 'outcomes'" in refused.message


def test_the_history_of_such_a_batch_is_recorded_in_the_same_way(tmp_path: Path, live: Path) -> None:
    """A backfill hands over the moment; it takes precedence over the manifest."""
    written = new_records(tmp_path, 40)
    figures = written.build(NO_TRAINING, live, as_of=AS_OF - timedelta(days=30)).figures
    assert (figures["as_of"], figures["train"], figures["tenants"]) == ("2026-10-02T00:00:00Z", False, 40)


def test_with_refresh_auto_a_batch_brings_features_alone_as_soon_as_a_release_is_live(
    tmp_path: Path, live: Path
) -> None:
    """The same batch trains when none is live, when its manifest asks for models, and for history it never matters."""
    written = table_of(tmp_path, refresh="auto")
    assert written.build({}, live).figures["train"] is False
    assert written.build({}).figures["train"] is True
    for asks in ({"train": True}, {"hyperparameters": {"alpha": 0.1}}):
        assert written.build(asks, live).figures["train"] is True
    assert written.build({}, live, as_of=AS_OF - timedelta(days=1)).figures["train"] is True
    asked = table_of(tmp_path / "asked")
    assert asked.build({}, live).figures["train"] is True
    assert asked.build({"release": "features_only"}, live).figures["train"] is False

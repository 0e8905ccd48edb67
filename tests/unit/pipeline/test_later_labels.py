"""A release whose labels are later events: what is written, what preview says, and how well it predicts."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tenant_experience.data_layout import EXAMPLE_ID
from tenant_experience.errors import UserError
from tenant_experience.evaluation.champion import Champion, ChampionComparison
from tenant_experience.evaluation.partition import LiveModel, evaluate_partition
from tenant_experience.features.table import read_answers_and_examples
from tenant_experience.groups.file import read_groups
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.models.served_model import ServedModel
from tenant_experience.pipeline.batch import Folders
from tenant_experience.pipeline.build_features import build_features
from tenant_experience.pseudonyms import pseudonym
from tenant_experience.report.action_files import report_actions
from tenant_experience.report.report import ShardReport
from tenant_experience.statistics.survival import concordance
from tenant_experience.use_case.schema import load_use_case
from tenant_experience.use_case.served import parse
from tests.support.html_pages import words_of
from tests.support.purchases import LABEL, LABELS, SQL, WINDOW, Purchases, purchases, written
from tests.support.written_use_case import AS_OF, Written

AFT = {
    "objective": "survival:aft",
    "aft_loss_distribution": "extreme",
    "learning_rate": 0.05,
    "max_depth": 3,
    "min_child_weight": 10,
}
CLIENTS = 2_500


@pytest.fixture(scope="module")
def log() -> Purchases:
    return purchases(CLIENTS)


@pytest.fixture(scope="module")
def released(log: Purchases, tmp_path_factory: pytest.TempPathFactory) -> Written:
    base = tmp_path_factory.mktemp("released")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAGEMAKER_BASE_DIR", str(base / "ml"))
        made = written(base, log.rows(), hyperparameters=AFT)
        assert made.release() == ["all"]
    return made


def test_records_answer_as_of_now_and_train_as_of_the_cut_offs(released: Written) -> None:
    answers, rows = read_answers_and_examples(released.base / "job/features", load_use_case(released.folder))
    assert answers.label is not None
    assert np.isnan(answers.label).all()
    assert (answers.as_of, answers.censored) == ("2026-11-01T00:00:00Z", None)
    assert rows.label is not None
    assert rows.censored is not None
    assert not np.isnan(rows.label).any()
    assert rows.label[rows.censored].min() >= WINDOW
    assert len(np.unique(rows.moments)) == 3
    assert len(answers) < len(rows) <= 3 * len(answers)
    ids = pq.read_table(released.base / "job/features/examples.parquet")[EXAMPLE_ID].to_pylist()
    assert len(set(ids)) == len(ids) == len(rows)


def test_the_model_ranks_nearly_as_well_as_the_truth_does(released: Written, log: Purchases) -> None:
    """The time until the next purchase is exponential, so that no one can rank better than by its true mean."""
    table = read_answers_and_examples(released.base / "job/features", load_use_case(released.folder))[1]
    model = ServedModel.load(released.base / "models/all")
    days = model.publish(model.scorer.encoding.matrix(table)).outputs
    assert table.label is not None
    times, censored = np.minimum(table.label, WINDOW), table.label >= WINDOW
    truth = np.array([log.mean_days[each] for each in table.tenant_id.tolist()])
    oracle = concordance(times, censored, truth)[0]
    evaluation = released.evaluations["all"]
    low, high = evaluation.intervals["concordance"]
    assert low < evaluation.metrics["concordance"] < high
    assert oracle - 0.03 < concordance(times, censored, days)[0]
    assert low < oracle
    told = [row for row in evaluation.calibration if row.tenants > 30]
    assert sum(row.tenants * abs(row.mean_probability - row.share) for row in told) < 0.06 * sum(
        row.tenants for row in told
    )
    assert [band.mean_predicted for band in evaluation.bands] == sorted(
        band.mean_predicted for band in evaluation.bands
    )
    gates = {gate.name for gate in evaluation.gates}
    assert gates == {"concordance"}


def test_everybody_is_told_how_many_are_censored_and_what_was_done(released: Written) -> None:
    quality = json.loads((released.base / "job/reports/data_quality.json").read_text())
    moments = quality["labels"]["cut_offs"]
    assert [each["cut_off"][:10] for each in moments] == ["2026-09-02", "2026-07-04", "2026-05-05"]
    assert moments[0]["share"] > moments[1]["share"] > moments[2]["share"] > 0
    page = (released.base / "job/reports/data_quality.html").read_text()
    assert f"{moments[0]['share']:.1%} censored)" in page
    examples, clients = quality["examples"], quality["may_train"]
    assert f" Models learn from {examples:,} rows of {clients:,} records. There is 1 partition" in words_of(page)
    evaluation = released.evaluations["all"]
    (sentence,) = [each for each in evaluation.warnings if "censored" in each]
    assert "extreme accelerated failure time" in sentence
    assert evaluation.document()["model"]["time_to_event"]["window_days"] == WINDOW


def test_the_report_shows_the_c_index_and_the_days(released: Written) -> None:
    use_case = load_use_case(released.folder)
    answers, _ = read_answers_and_examples(released.base / "job/features", use_case)
    groups = {"all": read_groups(released.base / "models/all/groups.parquet", "all", use_case.labels)}
    ready = [released.evaluations["all"]]
    actions = report_actions(answers, use_case, ready, groups)
    page = ShardReport("r1", 0, use_case, [], ready, actions).render()
    for words in (
        "C-index",
        "are censored",
        "Does the event come as often as predicted?",
        "logarithm of the days",
        "Each dot is a tenth of the rows",
    ):
        assert words in " ".join(page.split())
    assert "objective survival:aft" in page


def test_answers_are_days_and_say_so(released: Written) -> None:
    answers, _ = read_answers_and_examples(released.base / "job/features", load_use_case(released.folder))
    model = ServedModel.load(released.base / "models/all")
    matrix = model.scorer.encoding.matrix(answers)
    for row, days in zip(model.answers(matrix[:9]), model.scorer.outputs(matrix[:9]).tolist(), strict=True):
        told = "days from as_of until the next event; 63% of such records see it sooner"
        assert (row["value"], row["value_of"]) == (days, told)
    assert parse((released.folder / "use_case.yaml").read_bytes()).window == WINDOW


def compared(new: Written, live: Written) -> ChampionComparison:
    """The model of one release beside that of another, on the test part of the first."""
    use_case = load_use_case(new.folder)
    table = read_answers_and_examples(new.base / "job/features", use_case)[1]
    groups = read_groups(new.base / "models/all/groups.parquet", "all", use_case.labels)
    champion = LiveModel(Champion("r0", live.base / "models/all"), None)
    found = evaluate_partition(table, groups, new.base / "models/all", use_case, champion).champion
    assert found is not None
    return found


def test_without_the_objective_days_are_counted_up_to_the_window(
    log: Purchases, released: Written, tmp_path: Path
) -> None:
    made = written(tmp_path, log.rows(), trainer="linear")
    made.release()
    evaluation = made.evaluations["all"]
    assert evaluation.calibration == []
    assert compared(released, released).verdict == "equal"
    assert compared(released, released).loss == "mae"
    other = compared(released, made)
    assert other.verdict == "not_comparable"
    assert "differ in labels.window or in the objective" in other.notes[0]
    (sentence,) = [each for each in evaluation.warnings if "censored" in each]
    assert "counted up to 60 days" in sentence
    assert evaluation.metrics["concordance"] > 0.6


def test_classes_are_trained_like_any_others(log: Purchases, tmp_path: Path) -> None:
    labels = {**LABELS, "column": "soon", "classes": ["silent", "buys"], "positive": "buys"}
    made = written(tmp_path, log.rows(), labels=labels)
    shown = made.preview()
    assert shown.refusals == []
    made.release()
    evaluation = made.evaluations["all"]
    assert evaluation.metrics["roc_auc"] > 0.7
    assert not any("censored" in each for each in evaluation.warnings)
    quality = json.loads((made.base / "job/reports/data_quality.json").read_text())
    assert quality["labels"]["share_of"] == "buys"


def test_preview_and_the_job_refuse_a_feature_that_reads_the_future(tmp_path: Path) -> None:
    made = written(tmp_path, purchases(150).rows(), SQL.replace("WHERE sold_at < $as_of", ""))
    messages = []
    for run in (made.preview, made.build):
        with pytest.raises(UserError) as refusal:
            run()
        assert refusal.value.code == "reads_the_future"
        messages.append(refusal.value.message)
    assert messages[0] == messages[1]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no window": ({"labels": {"from": "events", "column": "days"}}, "labels.window must be given"),
    "part of a day": ({"labels": {**LABELS, "window": "1.5d"}}, "a whole number of days"),
    "a number of days": ({"labels": {**LABELS, "window": 60}}, "a whole number of days"),
    "no day": ({"labels": {**LABELS, "every": "0d"}}, "a whole number of days"),
    "a window of a column": (
        {"labels": {"from": "column", "column": "days", "window": "60d"}},
        "labels.window belongs to from: events",
    ),
    "three classes": ({"labels": {**LABELS, "classes": ["a", "b", "c"]}}, "are two"),
    "no positive class": ({"labels": {**LABELS, "classes": ["a", "b"]}}, "labels.positive must be given"),
    "no column": ({"labels": {"from": "events", "window": "60d"}}, "labels.column must be given"),
    "levels of partitions": ({"models": {"scope": "pooled"}}, "the days until an event are not"),
    "a feature of that name": ({"features": {"censored": {}}}, "'censored'"),
    "events undeclared": ({"events": None}, "needs the key 'events'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_settings_that_cannot_be_meant_are_refused_with_their_key(tmp_path: Path, name: str) -> None:
    changes, words = REFUSED[name]
    made = written(tmp_path, purchases(10).rows(), **changes)
    with pytest.raises(UserError, match=r"use_case\.yaml") as refusal:
        load_use_case(made.folder)
    assert words in refusal.value.message


def test_a_label_in_features_sql_is_refused(tmp_path: Path) -> None:
    made = written(tmp_path, purchases(50).rows(), SQL.replace("SELECT", f"SELECT 1 AS {LABEL},", 1))
    with pytest.raises(UserError, match="computes the label itself"):
        made.build()


def test_a_ready_made_table_has_no_later_events(tmp_path: Path) -> None:
    made = written(tmp_path, purchases(50).rows())
    names = ("client", "branch", "purchases", "spent", "recency_days", "known_days")
    text = "kind: table\ncolumns: {" + ", ".join(f"{name}: '1'" for name in names) + "}\n"
    (made.folder / "sources/export.yaml").write_text(text)
    with pytest.raises(UserError, match="labels are made of events") as refusal:
        made.build()
    assert refusal.value.code == "invalid_source"


def test_history_alone_has_no_examples(tmp_path: Path) -> None:
    made = written(tmp_path, purchases(200).rows())
    made.build()
    job = tmp_path / "job"
    folders = {name: tmp_path / "history" / name for name in ("features", "quarantine", "reports")}
    for each in folders.values():
        each.mkdir(parents=True)
    outcome: Outcome = build_features(
        Folders(raw=job / "raw", use_case=made.folder, previous=tmp_path / "none", **folders),
        release="r2",
        use_case_name="written",
        requested_at=AS_OF,
        as_of=AS_OF - timedelta(days=200),
    )
    assert outcome.as_dict()["status"] == "ok"
    assert not (folders["features"] / "examples.parquet").exists()


def test_pseudonyms_replace_the_ids_of_examples_too(tmp_path: Path) -> None:
    made, key = written(tmp_path, purchases(100).rows()), b"k" * 32
    folders = {name: tmp_path / "job" / name for name in ("raw", "features", "quarantine", "reports")}
    for each in folders.values():
        each.mkdir(parents=True)
    shutil.copy(made.export, folders["raw"])
    (folders["raw"] / "manifest.json").write_text("{}")
    build_features(
        Folders(use_case=made.folder, previous=tmp_path / "none", **folders),
        release="r1",
        use_case_name="written",
        requested_at=AS_OF,
        pseudonym_key=key,
    )
    table = pq.read_table(folders["features"] / "examples.parquet")
    clients = set(made.rows["client"])
    assert set(table["client"].to_pylist()) <= {pseudonym(key, each) for each in clients}
    for client, example in zip(table["client"].to_pylist(), table[EXAMPLE_ID].to_pylist(), strict=True):
        assert example.startswith(f"{client}@")

"""Records that were never in training, answered by the live release: ``"train": false`` through the whole stack."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pyarrow.parquet as pq
import pytest

from operations.batch import RawBatch
from operations.releases import FinishedRelease
from tests.support.churn_export import write_churn
from tests.support.flow import Flow

NEW = [f"NEW-{number}" for number in range(20)]
NEVER = ("TrainModels", "RequestApproval", "RegisterModels", "PublishRelease")
CHURN = "telecom_churn"
CUSTOMERS = 1_500


def write_events(folder: Path, as_of: datetime, contacts: int) -> Path:
    """Tickets and calls of tenants that no release has seen, over a year, before ``as_of``."""
    names = ("event_id", "tenant_id", "portfolio_id", "channel", "direction", "opened_at", "first_response_at")
    folder.mkdir()
    path = folder / "new.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow((*names, "resolved_at"))
        for tenant in NEW:
            for number in range(contacts):
                opened = as_of - timedelta(days=1 + number * 360 / contacts)
                times = [f"{opened + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (0, 2, 9)]
                channel = ("ticket", "") if number % 2 else ("call", "inbound")
                writer.writerow((f"{tenant}-{number}", tenant, "Elm Court", *channel, *times))
    return path


def asked(path: Path, name: str, as_of: datetime) -> RawBatch:
    manifest = {"source": "events", "as_of": f"{as_of:%Y-%m-%dT%H:%M:%SZ}", "release": "features_only"}
    return RawBatch(name, (path,), manifest)


def send(flow: Flow, batch: RawBatch) -> FinishedRelease:
    """Nobody may be asked for a decision about it."""

    def unexpected(mail: dict[str, Any]) -> None:
        raise AssertionError(mail["subject"])

    return flow.release(batch, before=unexpected)


def served(flow: Flow, release: str) -> dict[str, Any]:
    """What ServeFeatures did."""
    prefix = f"served/{release}/"
    listed = boto3.client("s3").list_objects_v2(Bucket=flow.bucket, Prefix=prefix)["Contents"]
    (key,) = [each["Key"] for each in listed if each["Key"].endswith("outcome.json")]
    found: dict[str, Any] = flow.json_object(key)
    return found


@dataclass
class Answered:
    """A batch of new tenants, and what was live before."""

    done: FinishedRelease
    live: dict[str, Any]
    path: Path
    as_of: datetime


@pytest.fixture(scope="module")
def answered(flow: Flow, first: FinishedRelease) -> Answered:
    assert first.release
    live = flow.live()
    assert live is not None
    as_of = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    path = write_events(flow.inputs / "new", as_of, contacts=10)
    return Answered(send(flow, asked(path, "new", as_of)), live, path, as_of)


def test_nothing_is_trained_and_nobody_is_asked(flow: Flow, answered: Answered) -> None:
    done = answered.done
    assert done.execution["status"] == "SUCCEEDED", (done.execution.get("error"), done.execution.get("cause"))
    assert "Served" in done.visited
    assert not set(NEVER) & set(done.visited)
    live = flow.live()
    assert live == {**answered.live, "served": [*answered.live["served"], done.release]}
    mail = flow.mailbox.wait_for(f"Answered without training: {done.release}")
    assert f"Release {answered.live['release']} of tenant_experience answers for the batch new." in mail["text"]
    assert "Records: 20, from 200 rows" in mail["text"]
    assert flow.json_object(f"reports/{done.release}/data_quality.json")["answered_by"] == answered.live["release"]


def test_the_live_models_answer_for_tenants_who_were_never_in_training(flow: Flow, answered: Answered) -> None:
    (features, prediction) = (flow.get(f"/tenants/{NEW[0]}/{what}").json() for what in ("features", "prediction"))
    assert features["release"] == answered.done.release
    assert features["features"]["total_tickets"] > 0
    assert prediction["status"] == "scored"
    assert prediction["model_version"] == answered.live["models"]["all"]
    rows = flow.predictions(NEW)
    assert [row["status"] for row in rows] == ["scored"] * len(NEW)
    assert all(0 < row["probability"] < 1 for row in rows)


def test_the_same_batch_again_changes_nothing(flow: Flow, answered: Answered) -> None:
    before = flow.get(f"/tenants/{NEW[0]}/features").json()
    again = send(flow, asked(answered.path, "new-again", answered.as_of))
    assert again.execution["status"] == "SUCCEEDED"
    counts = served(flow, again.release)
    assert (counts["records"], counts["unchanged"], counts["written"]) == (20, 20, 0)
    assert flow.get(f"/tenants/{NEW[0]}/features").json() == before


@pytest.mark.slow
def test_halves_that_add_up_give_the_same_features(flow: Flow, answered: Answered, tmp_path: Path) -> None:
    header, *lines = answered.path.read_text().splitlines(keepends=True)
    for place in (0, 1):
        half = tmp_path / f"half-{place}.csv"
        half.write_text(header + "".join(lines[place::2]))
        batch = asked(half, half.stem, answered.as_of)
        batch.manifest["mode"] = "append"
        done = send(flow, batch)
        assert done.execution["status"] == "SUCCEEDED", (done.execution.get("error"), done.execution.get("cause"))
    kept = flow.json_object(f"reports/{done.release}/data_quality.json")["kept"]
    assert (kept["batches"], sum(month["rows"] for month in kept["months"])) == (1, 200)
    assert sum(month["new"] for month in kept["months"]) == 100
    tables = []
    for release in (answered.done.release, done.release):
        path = tmp_path / f"{release}.parquet"
        boto3.client("s3").download_file(flow.bucket, f"features/{release}/features.parquet", str(path))
        tables.append(pq.read_table(path))
    assert tables[0].num_rows == 20
    assert tables[1].equals(tables[0])


def test_an_older_batch_does_not_replace_a_newer_one(flow: Flow, answered: Answered) -> None:
    before = flow.get(f"/tenants/{NEW[0]}/features").json()
    earlier = answered.as_of - timedelta(days=10)
    older = send(flow, asked(write_events(flow.inputs / "older", earlier, contacts=30), "older", earlier))
    assert older.execution["status"] == "SUCCEEDED"
    counts = served(flow, older.release)
    assert (counts["newer"], counts["written"]) == (20, 0)
    assert flow.get(f"/tenants/{NEW[0]}/features").json() == before


def test_without_a_live_release_the_batch_is_refused(flow: Flow, tmp_path: Path) -> None:
    path = tmp_path / "clients.csv"
    path.write_text("a,b\n1,2\n")
    done = send(flow, RawBatch("nobody-live", (path,), {"train": False}, "bank_marketing"))
    assert (done.execution["status"], done.execution["error"]) == ("FAILED", "UserError.no_live_release")
    assert "no release of bank_marketing is live" in done.execution["cause"]


@pytest.mark.slow
def test_customers_with_and_without_labels_are_served_by_models_of_those_with(flow: Flow, tmp_path: Path) -> None:
    """A release of which two thirds have no label; then customers whose file has no column of labels."""
    for number, dimension in enumerate(("DummyDim1", "DummyDim2")):
        write_churn(tmp_path / "mixed", dimension, 3 * CUSTOMERS, seed=number)
        unlabel(tmp_path / "mixed" / f"{dimension}.csv", labelled=CUSTOMERS)
    files = tuple(sorted((tmp_path / "mixed").iterdir()))
    mixed = flow.release(RawBatch("mixed", files, {}, CHURN))
    assert mixed.execution["status"] == "SUCCEEDED", (mixed.execution.get("error"), mixed.execution.get("cause"))
    outcome = flow.json_object(f"features/{mixed.release}/outcome.json")
    assert (outcome["tenants"], outcome["data_quality"]["may_train"]) == (6 * CUSTOMERS, 2 * CUSTOMERS)
    assert served(flow, mixed.release)["records"] == 6 * CUSTOMERS

    write_churn(tmp_path / "new", "DummyDim1", 40, seed=7)
    path = tmp_path / "new" / "DummyDim1.csv"
    without_column(path, states="ZZ")
    new = send(flow, RawBatch("new-customers", (path,), {"train": False, "accept": ["feature_shift"]}, CHURN))
    assert new.execution["status"] == "SUCCEEDED", (new.execution.get("error"), new.execution.get("cause"))
    record = stored("DummyDim1 ZZ 415 000-0000")
    assert record["release"] == new.release
    live = flow.live(CHURN)
    assert live is not None
    assert live["models"][record["partition_slug"]] == mixed.release
    assert record["partition_slug"] != "all"


def unlabel(path: Path, labelled: int) -> None:
    """Takes away the labels of all but the first customers of a file."""
    rows = list(csv.DictReader(path.open()))
    rewrite(path, rows[:labelled] + [row | {"Churn?": ""} for row in rows[labelled:]])


def without_column(path: Path, states: str) -> None:
    """Takes away the column of labels; all customers are then of one state, and so are none of those before."""
    rows = list(csv.DictReader(path.open()))
    area = {"Area Code": "415"}
    rewrite(path, [{name: row[name] for name in row if name != "Churn?"} | {"State": states} | area for row in rows])


def rewrite(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def stored(customer: str) -> dict[str, str]:
    asked = {"FeatureGroupName": f"tenant-experience-{CHURN}", "RecordIdentifierValueAsString": customer}
    found = boto3.client("sagemaker-featurestore-runtime").get_record(**asked)["Record"]
    return {each["FeatureName"]: each["ValueAsString"] for each in found}

"""Another problem by its use case's files alone: which customers leave, by labels that the data brings along."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import boto3
import pyarrow.parquet as parquet
import pytest

from operations.batch import RawBatch
from operations.releases import FinishedRelease
from tests.support.churn_export import write_churn
from tests.support.flow import Flow
from tests.support.places import SHARED_DATA
from tests.support.requirements import needs_shared_data

USE_CASE = "telecom_churn"
REAL = SHARED_DATA / "telecom_churn" / "training"


def release(flow: Flow, name: str, folder: Path) -> FinishedRelease:
    mails: list[dict[str, Any]] = []
    work = RawBatch(name, tuple(sorted(folder.iterdir())), {}, USE_CASE)
    done = flow.release(work, before=mails.append)
    assert done.execution["status"] == "SUCCEEDED", (done.execution.get("error"), done.execution.get("cause"))
    assert USE_CASE in mails[0]["subject"]
    return done


@pytest.fixture(scope="module")
def other(flow: Flow, first: FinishedRelease) -> dict[str, Any]:
    """What the stack's API answers with, before."""
    assert first.release
    live = flow.live()
    assert live is not None
    return live


@pytest.fixture(scope="module")
def churn(flow: Flow, other: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> FinishedRelease:
    """A release of three dimensions."""
    assert other["models"]
    folder = tmp_path_factory.mktemp("churn")
    for number in (1, 2, 3):
        write_churn(folder, f"Dim{number}", 2_500, seed=number)
    return release(flow, "generated", folder)


def test_every_dimension_has_a_model_in_the_registry(flow: Flow, churn: FinishedRelease) -> None:
    packages = flow.packages(churn.release)
    groups = [package["arn"].split("/")[1] for package in packages]
    assert len(set(groups)) == 3
    assert all(group.startswith("tenant-experience-telecom-churn-dim") for group in groups)
    assert {package["status"] for package in packages} == {"Approved"}
    assert all(package["metrics"]["roc_auc"] > 0.8 for package in packages)
    live = flow.live(USE_CASE)
    assert live is not None
    assert len(live["models"]) == 3
    assert set(live["models"].values()) == {churn.release}


def test_the_other_use_case_is_left_alone(flow: Flow, other: dict[str, Any], churn: FinishedRelease) -> None:
    assert flow.live() == other
    mail = flow.mailbox.wait_for(f"Released: {churn.release}")
    assert "TargetModel <partition>/<release>/model.tar.gz" in mail["text"]
    assert "Clients ask here" not in mail["text"]


def test_the_endpoint_answers_for_a_customer_with_reasons(flow: Flow, churn: FinishedRelease) -> None:
    live = flow.live(USE_CASE)
    assert live is not None
    slug = sorted(live["models"])[0]
    features = {"state": "OH", "international_plan": "yes", "service_calls": 9, "day_minutes": None}
    answer = boto3.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=flow.stack.outputs["EndpointName"],
        TargetModel=f"{slug}/{churn.release}/model.tar.gz",
        ContentType="application/json",
        Body=json.dumps({"instances": [{"tenant_id": "C 1", "features": features}], "explain": True}).encode(),
    )
    (row,) = json.loads(answer["Body"].read())["predictions"]
    assert row["probability"] > 0.5
    assert row["contributions"]["service_calls"] > 0


def test_customers_are_in_a_feature_group_of_their_own(flow: Flow, churn: FinishedRelease) -> None:
    body = boto3.client("s3").get_object(Bucket=flow.bucket, Key=f"features/{churn.release}/features.parquet")["Body"]
    customer = parquet.read_table(io.BytesIO(body.read()), columns=["customer_id"]).column(0)[0].as_py()
    asked = {"FeatureGroupName": f"tenant-experience-{USE_CASE}", "RecordIdentifierValueAsString": customer}
    store = boto3.client("sagemaker-featurestore-runtime")
    record = {each["FeatureName"]: each["ValueAsString"] for each in store.get_record(**asked)["Record"]}
    dimension, state, area_code, _ = customer.split(" ")
    assert (record["dimension"], record["state"], record["area_code"]) == (dimension, state, area_code)


@pytest.mark.slow
@needs_shared_data("telecom_churn")
def test_the_real_dimensions_come_through(flow: Flow) -> None:
    """As the first release of its use case: nothing is live that its dimensions could be compared with."""
    table = flow.stack.outputs["ReleaseTableName"]
    boto3.client("dynamodb").delete_item(TableName=table, Key={"id": {"S": f"live#{USE_CASE}"}})
    packages = flow.packages(release(flow, "real", REAL).release)
    assert len(packages) == 3
    assert {package["status"] for package in packages} == {"Approved"}
    assert all(package["metrics"]["roc_auc"] > 0.9 for package in packages), packages

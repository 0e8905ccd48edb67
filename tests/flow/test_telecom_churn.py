"""Another problem by its use case's files alone: which customers leave, by labels that the data brings along."""

from __future__ import annotations

import io
import json
from typing import Any
from urllib.parse import quote

import boto3
import pyarrow.parquet as parquet
import pytest

from operations.releases import FinishedRelease
from tests.support.churn_release import USE_CASE, release_churn
from tests.support.flow import Flow
from tests.support.places import SHARED_DATA
from tests.support.requirements import needs_shared_data

REAL = SHARED_DATA / "telecom_churn" / "training"


def test_every_dimension_has_a_model_in_the_registry(flow: Flow, churn: FinishedRelease) -> None:
    packages = flow.packages(churn.release)
    groups = [package["arn"].split("/")[1] for package in packages]
    assert len(set(groups)) == 3
    assert all(group.startswith("tenant-experience-telecom-churn-dummydim") for group in groups)
    assert {package["status"] for package in packages} == {"Approved"}
    assert all(package["metrics"]["roc_auc"] > 0.8 for package in packages)
    live = flow.live(USE_CASE)
    assert live is not None
    assert len(live["models"]) == 3
    assert set(live["models"].values()) == {churn.release}


def test_the_other_use_case_is_left_alone(flow: Flow, other: dict[str, Any], churn: FinishedRelease) -> None:
    assert flow.live() == other
    mail = flow.mailbox.wait_for(f"Released: {churn.release}")
    assert f"/use-cases/{USE_CASE}/records/{{record_id}}/prediction" in mail["text"]
    assert "/tenants/" not in mail["text"]


def customers(flow: Flow, release: str) -> dict[str, dict[str, Any]]:
    """The features of the release by id."""
    body = boto3.client("s3").get_object(Bucket=flow.bucket, Key=f"features/{release}/features.parquet")["Body"]
    return {row["customer_id"]: row for row in parquet.read_table(io.BytesIO(body.read())).to_pylist()}


def test_two_use_cases_of_one_stack_answer(flow: Flow, other: dict[str, Any], churn: FinishedRelease) -> None:
    listed = {row["name"]: row["release"] for row in flow.get("/use-cases").json()["use_cases"]}
    assert (listed[USE_CASE], listed["tenant_experience"]) == (churn.release, other["release"])
    tenant = flow.tenant_with_an_answer()
    of_tenants = flow.get(f"/tenants/{tenant}/prediction").json()
    as_record = flow.get(f"/use-cases/tenant_experience/records/{tenant}/prediction").json()
    assert (as_record["record_id"], as_record["label"]) == (tenant, of_tenants["experience"])
    assert (as_record["probability"], as_record["model_version"]) == (of_tenants["probability"], other["release"])
    assert flow.get(f"/use-cases/{USE_CASE}/records/{tenant}/prediction").status_code == 404

    known = customers(flow, churn.release)
    ids = sorted(known)[:3] + sorted(known)[-3:]
    answer = flow.ask_predictions(USE_CASE, json={"ids": ids})
    rows = answer.json()["predictions"]
    assert (answer.status_code, [row["record_id"] for row in rows]) == (200, ids)
    assert {row["partition"] for row in rows} == {"DummyDim1", "DummyDim3"}
    assert {row["model_version"] for row in rows} == {churn.release}
    assert all(row["label"] in ("stays", "leaves") and 0 < row["probability"] < 1 for row in rows)
    first = f"/use-cases/{USE_CASE}/records/{quote(ids[0], safe='')}"
    whole = flow.get(f"{first}/prediction").json()
    assert {name: whole[name] for name in ("record_id", "label", "probability")} == {
        name: rows[0][name] for name in ("record_id", "label", "probability")
    }
    assert whole["reasons"]
    features = flow.get(f"{first}/features").json()["features"]
    assert features == pytest.approx({name: known[ids[0]][name] for name in features})


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/use-cases/{USE_CASE}/records/NOBODY-0/prediction", 404, "unknown_record"),
        (f"/use-cases/{USE_CASE}/records/a%2Fb/features", 400, "malformed_record_id"),
        (f"/use-cases/{USE_CASE}/records/%FF%FE/prediction", 400, "malformed_record_id"),
        ("/use-cases/nosuch/records/NOBODY-0/prediction", 404, "unknown_use_case"),
        ("/use-cases/%2e%2e/records/NOBODY-0/features", 404, "unknown_use_case"),
        ("/use-cases/bank_marketing/records/NOBODY-0/prediction", 503, "no_live_model"),
        (f"/use-cases/{USE_CASE}", 404, "unknown_route"),
    ],
)
def test_what_cannot_be_answered_is_a_problem(
    flow: Flow, churn: FinishedRelease, path: str, status: int, code: str
) -> None:
    assert churn.release
    answer = flow.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


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
    packages = flow.packages(release_churn(flow, "real", REAL).release)
    assert len(packages) == 3
    assert {package["status"] for package in packages} == {"Approved"}
    assert all(package["metrics"]["roc_auc"] > 0.9 for package in packages), packages

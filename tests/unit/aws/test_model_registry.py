"""The registry as RegisterModels uses it, against SageMaker's own service model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from tenant_experience.aws import model_registry
from tenant_experience.aws.model_registry import Candidate
from tenant_experience.evaluation.model_card import CardLinks

LINKS = CardLinks(
    model="s3://data/models/all/r2/model.tar.gz",
    report="s3://data/reports/r2/0/report.html",
    evaluation="s3://data/reports/r2/0/evaluation.json",
    features="s3://data/features/r2/features.parquet",
    image="123456789012.dkr.ecr.eu-west-1.amazonaws.com/te@sha256:" + "0" * 64,
)
CANDIDATE = Candidate(group="te-all", release="r2", links=LINKS, metadata={"partition": "all"}, card="{}")


def summary(version: int, release: str) -> dict[str, Any]:
    return {
        "ModelPackageArn": f"arn:aws:sagemaker:eu-west-1:123456789012:model-package/te-all/{version}",
        "ModelPackageDescription": f"Release {release}",
        "CreationTime": 0,
        "ModelPackageStatus": "Completed",
    }


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    client = boto3.client("sagemaker")
    monkeypatch.setattr(model_registry, "sagemaker", lambda: client)
    with Stubber(client) as stubber:
        stubber.add_response("create_model_package_group", {"ModelPackageGroupArn": "arn"})
        yield stubber
        stubber.assert_no_pending_responses()


def test_a_release_registered_before_is_not_registered_again(service: Stubber) -> None:
    first, second = summary(1, "r1"), summary(2, "r2")
    service.add_response("list_model_packages", {"ModelPackageSummaryList": [first], "NextToken": "more"})
    service.add_response("list_model_packages", {"ModelPackageSummaryList": [second]})
    assert model_registry.register(CANDIDATE) == second["ModelPackageArn"]


def test_a_new_release_is_registered_pending(service: Stubber) -> None:
    service.add_response("list_model_packages", {"ModelPackageSummaryList": [summary(1, "r1")]})
    asked = {
        "ModelPackageGroupName": "te-all",
        "ModelPackageDescription": "Release r2",
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": ANY,
        "ModelMetrics": ANY,
        "CustomerMetadataProperties": {"partition": "all", "release": "r2", "report": LINKS.report},
        "ModelCard": {"ModelCardContent": "{}", "ModelCardStatus": "PendingReview"},
        "ClientToken": ANY,
    }
    service.add_response("create_model_package", {"ModelPackageArn": "arn:new"}, asked)
    assert model_registry.register(CANDIDATE) == "arn:new"

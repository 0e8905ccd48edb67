"""The registry as RegisterModels uses it, against SageMaker's own service model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from tenant_experience.aws import model_registry
from tenant_experience.aws.model_registry import Candidate
from tenant_experience.errors import PlatformError
from tenant_experience.release.partition_result import PartitionResult
from tests.support.card_links import LINKS

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
        yield stubber
        stubber.assert_no_pending_responses()


def test_a_release_registered_before_is_not_registered_again(service: Stubber) -> None:
    first, second = summary(1, "r1"), summary(2, "r2")
    service.add_response("create_model_package_group", {"ModelPackageGroupArn": "arn"})
    service.add_response("list_model_packages", {"ModelPackageSummaryList": [first], "NextToken": "more"})
    service.add_response("list_model_packages", {"ModelPackageSummaryList": [second]})
    assert model_registry.register(CANDIDATE) == second["ModelPackageArn"]


def test_a_new_release_is_registered_pending(service: Stubber) -> None:
    service.add_response("create_model_package_group", {"ModelPackageGroupArn": "arn"})
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


def test_the_digest_of_an_outcome_becomes_a_property_of_the_package() -> None:
    row = {"partition": "All", "slug": "all", "status": "ready", "scale": "global", "metrics": {"roc_auc": 0.9}}
    before = PartitionResult.read(row, shard=0)
    known = {"roc_auc": "0.9", "partition": "all", "scale": "global", "tenants": ""}
    assert model_registry.metadata_of(before) == known
    now = PartitionResult.read(row | {"digest": "d" * 64}, shard=0)
    assert model_registry.metadata_of(now) == known | {"model_json_sha256": "d" * 64}


@pytest.mark.parametrize(
    ("properties", "digest"), [({"model_json_sha256": "d" * 64}, "d" * 64), ({"release": "r2"}, ""), (None, "")]
)
def test_the_digest_of_a_release_is_read_from_its_package(
    service: Stubber, properties: dict[str, str] | None, digest: str
) -> None:
    service.add_response("list_model_packages", {"ModelPackageSummaryList": [summary(1, "r1"), summary(2, "r2")]})
    described = {
        "ModelPackageName": "te-all",
        "ModelPackageArn": summary(2, "r2")["ModelPackageArn"],
        "CreationTime": 0,
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
    }
    more = {} if properties is None else {"CustomerMetadataProperties": properties}
    asked = {"ModelPackageName": summary(2, "r2")["ModelPackageArn"]}
    service.add_response("describe_model_package", described | more, asked)
    assert model_registry.registered_digest("te-all", "r2") == digest


def test_a_release_that_was_not_registered_has_no_digest(service: Stubber) -> None:
    service.add_response("list_model_packages", {"ModelPackageSummaryList": [summary(1, "r1")]})
    with pytest.raises(PlatformError, match="te-all has no model of release r2") as refusal:
        model_registry.registered_digest("te-all", "r2")
    assert refusal.value.code == "not_registered"


def decided(package: dict[str, Any], status: str, card: str) -> dict[str, Any]:
    return {
        "ModelPackageArn": package["ModelPackageArn"],
        "ModelApprovalStatus": status,
        "ApprovalDescription": "taken back",
        "ModelCard": {"ModelCardStatus": card},
    }


def packages(*statuses: str) -> list[dict[str, Any]]:
    return [
        {**summary(number, f"r{number}"), "CreationTime": number, "ModelApprovalStatus": status}
        for number, status in enumerate(statuses)
    ]


def test_an_earlier_package_is_approved_again_and_the_approved_ones_after_it_are_rejected(service: Stubber) -> None:
    found = packages("Approved", "Rejected", "Approved", "PendingManualApproval", "Approved")
    service.add_response("list_model_packages", {"ModelPackageSummaryList": found})
    for number in (2, 4):
        asked = decided(found[number], "Rejected", "Archived")
        service.add_response("update_model_package", {"ModelPackageArn": "arn"}, asked)
    asked = decided(found[1], "Approved", "Approved")
    service.add_response("update_model_package", {"ModelPackageArn": "arn"}, asked)
    model_registry.put_back("te-all", "r1", reason="taken back")


def test_where_no_model_of_a_partition_answers_any_more_none_stays_approved(service: Stubber) -> None:
    found = packages("Rejected", "Approved")
    service.add_response("list_model_packages", {"ModelPackageSummaryList": found})
    asked = decided(found[1], "Rejected", "Archived")
    service.add_response("update_model_package", {"ModelPackageArn": "arn"}, asked)
    model_registry.put_back("te-north", "", reason="taken back")


def test_a_package_that_is_not_there_is_not_put_back(service: Stubber) -> None:
    service.add_response("list_model_packages", {"ModelPackageSummaryList": packages("Approved")})
    with pytest.raises(PlatformError, match="no model of release r9"):
        model_registry.put_back("te-all", "r9", reason="taken back")

"""The model registry: versions, approval, lists in pages, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws.sagemaker import SageMaker, ServiceError
from local_aws.tests.sagemaker.support import IMAGE_URI, Make


def create(sagemaker: SageMaker, group: str = "north", **more: Any) -> str:
    container = {"Image": IMAGE_URI, "ModelDataUrl": "s3://b/models/north/1/model.tar.gz"}
    specification = {
        "Containers": [container],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    request = {"ModelPackageGroupName": group, "InferenceSpecification": specification, **more}
    arn: str = sagemaker.call("CreateModelPackage", request)["ModelPackageArn"]
    return arn


@pytest.fixture(autouse=True)
def group(sagemaker: SageMaker) -> None:
    sagemaker.call("CreateModelPackageGroup", {"ModelPackageGroupName": "north"})


def versions(sagemaker: SageMaker, **request: Any) -> list[int]:
    answer = sagemaker.call("ListModelPackages", {"ModelPackageGroupName": "north"} | request)
    return [package["ModelPackageVersion"] for package in answer["ModelPackageSummaryList"]]


def test_versions_count_up_and_are_never_used_again(sagemaker: SageMaker) -> None:
    first, second = create(sagemaker), create(sagemaker)
    assert first.endswith("model-package/north/1")
    sagemaker.call("DeleteModelPackage", {"ModelPackageName": second})
    assert create(sagemaker).endswith("/3")
    assert versions(sagemaker) == [1, 3]
    assert versions(sagemaker, SortOrder="Descending", MaxResults=1) == [3]


def test_a_decision_and_its_reason(sagemaker: SageMaker) -> None:
    arn = create(sagemaker, CustomerMetadataProperties={"release": "r1"}, ClientToken="once")
    assert create(sagemaker, ClientToken="once") == arn
    found = sagemaker.call("DescribeModelPackage", {"ModelPackageName": arn})
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    assert found["ModelPackageStatus"] == "Completed"
    decision = {"ModelApprovalStatus": "Rejected", "ApprovalDescription": "worse than the champion"}
    sagemaker.call("UpdateModelPackage", {"ModelPackageArn": arn, **decision})
    found = sagemaker.call("DescribeModelPackage", {"ModelPackageName": arn})
    assert {key: found[key] for key in decision} == decision
    assert found["CustomerMetadataProperties"] == {"release": "r1"}
    assert versions(sagemaker, ModelApprovalStatus="Rejected") == [1]
    assert versions(sagemaker, ModelApprovalStatus="Approved") == []


def test_pages(sagemaker: SageMaker) -> None:
    for _ in range(3):
        create(sagemaker)
    request = {"ModelPackageGroupName": "north", "MaxResults": 2}
    first = sagemaker.call("ListModelPackages", request)
    rest = sagemaker.call("ListModelPackages", request | {"NextToken": first["NextToken"]})
    assert [len(page["ModelPackageSummaryList"]) for page in (first, rest)] == [2, 1]
    assert "NextToken" not in rest
    with pytest.raises(ServiceError, match="Invalid NextToken"):
        sagemaker.call("ListModelPackages", request | {"NextToken": "bogus"})


def test_refusals(sagemaker: SageMaker) -> None:
    with pytest.raises(ServiceError, match="Model Package Group already exists"):
        sagemaker.call("CreateModelPackageGroup", {"ModelPackageGroupName": "north"})
    with pytest.raises(ServiceError, match=r"ModelPackageGroup arn:.*/south does not exist\."):
        create(sagemaker, "south")
    with pytest.raises(ServiceError, match=r"ModelPackage arn:.*/north/9 does not exist\."):
        sagemaker.call("DescribeModelPackage", {"ModelPackageName": "north/9"})
    arn = create(sagemaker)
    with pytest.raises(ServiceError, match="enum value set") as refused:
        sagemaker.call("UpdateModelPackage", {"ModelPackageArn": arn, "ModelApprovalStatus": "Fine"})
    assert refused.value.code == "ValidationException"
    with pytest.raises(ServiceError, match="length less than or equal to 1024"):
        sagemaker.call("UpdateModelPackage", {"ModelPackageArn": arn, "ApprovalDescription": "x" * 1025})
    with pytest.raises(ServiceError, match="still contains Model Packages") as kept:
        sagemaker.call("DeleteModelPackageGroup", {"ModelPackageGroupName": "north"})
    assert kept.value.code == "ConflictException"


def test_a_restart_keeps_it_all(make: Make) -> None:
    arn = create(make())
    assert make().call("DescribeModelPackage", {"ModelPackageName": arn})["ModelPackageVersion"] == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not JSON"),
        ('{"model_overview": {"model_name": "x"}}', "model_name"),
        ('{"evaluation_details": [{"evaluation_observation": "x"}]}', "'name' is a required property"),
        ('{"additional_information": {"caveats_and_recommendations": "%s"}}' % ("x" * 2_049), "too long"),
    ],
)
def test_a_card_that_is_not_of_the_schema_is_refused(sagemaker: SageMaker, content: str, words: str) -> None:
    with pytest.raises(ServiceError, match=words):
        create(sagemaker, ModelCard={"ModelCardContent": content})


def test_an_archived_card_keeps_its_content(sagemaker: SageMaker) -> None:
    arn = create(sagemaker, ModelCard={"ModelCardContent": "{}", "ModelCardStatus": "PendingReview"})
    for _ in range(2):
        archived = {"ModelPackageArn": arn, "ModelCard": {"ModelCardStatus": "Archived"}}
        sagemaker.call("UpdateModelPackage", archived)
    with pytest.raises(ServiceError, match="Model Card is in Archived state"):
        sagemaker.call("UpdateModelPackage", {"ModelPackageArn": arn, "ModelCard": {"ModelCardContent": "{}"}})
    found = sagemaker.call("DescribeModelPackage", {"ModelPackageName": arn})
    assert found["ModelCard"] == {"ModelCardContent": "{}", "ModelCardStatus": "Archived"}

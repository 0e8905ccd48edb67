"""Names, limits, pages and orders, the same for every kind of resource."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws.sagemaker import SageMaker, ServiceError
from local_aws.tests.sagemaker.support import BUCKET, IMAGE_URI, ROLE, wait_while

ALGORITHM = {
    "TrainingImage": IMAGE_URI,
    "TrainingInputMode": "File",
    "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
}
RESOURCES = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
JOB = {
    "AlgorithmSpecification": ALGORITHM,
    "RoleArn": ROLE,
    "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/limits"},
    "ResourceConfig": RESOURCES,
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}
# kind -> what CreateX needs beside the name; the longest name; the code for a name that is taken
KINDS: dict[str, tuple[dict[str, Any], int, str]] = {
    "TrainingJob": (JOB, 63, "ResourceInUse"),
    "ProcessingJob": (
        {
            "ProcessingResources": {"ClusterConfig": RESOURCES},
            "AppSpecification": {"ImageUri": IMAGE_URI, "ContainerEntrypoint": ["true"]},
            "RoleArn": ROLE,
        },
        63,
        "ResourceInUse",
    ),
    "TransformJob": (
        {
            "ModelName": "base",
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/limits-input/"}},
                "ContentType": "text/csv",
            },
            "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/limits"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
        63,
        "ResourceInUse",
    ),
    "HyperParameterTuningJob": (
        {
            "HyperParameterTuningJobConfig": {
                "Strategy": "Random",
                "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
                "ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1},
                "ParameterRanges": {
                    "ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "1"}],
                },
            },
            "TrainingJobDefinition": JOB,
        },
        32,
        "ResourceInUse",
    ),
    "Model": (
        {"PrimaryContainer": {"Image": IMAGE_URI}, "ExecutionRoleArn": ROLE},
        63,
        "ValidationException",
    ),
    "EndpointConfig": (
        {
            "ProductionVariants": [
                {"VariantName": "v", "ModelName": "base", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
            ]
        },
        63,
        "ValidationException",
    ),
    "ModelPackageGroup": ({}, 63, "ValidationException"),
    "FeatureGroup": (
        {
            "RecordIdentifierFeatureName": "id",
            "EventTimeFeatureName": "at",
            "FeatureDefinitions": [
                {"FeatureName": "id", "FeatureType": "String"},
                {"FeatureName": "at", "FeatureType": "String"},
            ],
            "OnlineStoreConfig": {"EnableOnlineStore": True},
        },
        64,
        "ResourceInUse",
    ),
}
LISTED = {"Model": "Models", "EndpointConfig": "EndpointConfigs", "FeatureGroup": "FeatureGroupSummaries"}
LISTED["ModelPackageGroup"] = "ModelPackageGroupSummaryList"


@pytest.fixture
def based(sagemaker: SageMaker, s3: Any) -> SageMaker:
    s3.put_object(Bucket=BUCKET, Key="limits-input/a.csv", Body=b"1\n")
    more, _, _ = KINDS["Model"]
    sagemaker.call("CreateModel", {"ModelName": "base", **more})
    return sagemaker


@pytest.mark.parametrize("kind", KINDS)
def test_names_and_pages(based: SageMaker, kind: str) -> None:
    more, longest, taken = KINDS[kind]
    key = f"{kind}Name"

    def create(name: str) -> None:
        based.call(f"Create{kind}", {key: name, **more})

    for name in ("n" * (longest + 1), "under_score" if kind != "FeatureGroup" else "spa ce", "-dash"):
        with pytest.raises(ServiceError, match="ValidationException"):
            create(name)
    names = ["page-a", "page-b", "page-c"]
    for name in names:
        create(name)
    with pytest.raises(ServiceError) as refused:
        create("page-a")
    assert refused.value.code == taken
    found: list[str] = []
    token: dict[str, str] = {}
    for expected in (2, 1):
        asked = {"NameContains": "PAGE-", "MaxResults": 2, "SortBy": "Name", "SortOrder": "Ascending", **token}
        answer = based.call(f"List{kind}s", asked)
        page = answer[LISTED.get(kind, f"{kind}Summaries")]
        assert len(page) == expected
        found += [item[key] for item in page]
        token = {"NextToken": answer["NextToken"]} if "NextToken" in answer else {}
    assert (found, token) == (names, {})
    backwards = based.call(f"List{kind}s", {"NameContains": "page-", "SortBy": "Name", "SortOrder": "Descending"})
    assert [item[key] for item in backwards[LISTED.get(kind, f"{kind}Summaries")]] == names[::-1]
    early = based.call(f"List{kind}s", {"CreationTimeBefore": 1, "MaxResults": 100})
    assert early[LISTED.get(kind, f"{kind}Summaries")] == []
    with pytest.raises(ServiceError, match="ValidationException"):
        based.call(f"List{kind}s", {"MaxResults": 101})
    with pytest.raises(ServiceError, match="NextToken"):
        based.call(f"List{kind}s", {"NextToken": "bm8="})
    for name in names:
        if kind.endswith("Job"):
            wait_while(
                lambda name=name: based.call(f"Describe{kind}", {key: name}),  # type: ignore[misc]
                f"{kind}Status",
                "InProgress",
            )


def test_a_configuration_in_use_may_be_deleted_a_group_with_packages_may_not(based: SageMaker) -> None:
    more, _, _ = KINDS["EndpointConfig"]
    based.call("CreateEndpointConfig", {"EndpointConfigName": "used", **more})
    based.call("CreateEndpoint", {"EndpointName": "ep", "EndpointConfigName": "used"})
    based.call("DeleteEndpointConfig", {"EndpointConfigName": "used"})
    based.call("CreateModelPackageGroup", {"ModelPackageGroupName": "group"})
    package = based.call("CreateModelPackage", {"ModelPackageGroupName": "group"})["ModelPackageArn"]
    with pytest.raises(ServiceError, match="ConflictException"):
        based.call("DeleteModelPackageGroup", {"ModelPackageGroupName": "group"})
    based.call("DeleteModelPackage", {"ModelPackageName": package})
    based.call("DeleteModelPackageGroup", {"ModelPackageGroupName": "group"})


def test_tags_have_pages_and_a_limit(based: SageMaker) -> None:
    arn = based.call("DescribeModel", {"ModelName": "base"})["ModelArn"]
    based.call("AddTags", {"ResourceArn": arn, "Tags": [{"Key": f"k{n}", "Value": "v"} for n in range(50)]})
    with pytest.raises(ServiceError, match="at most 50 tags"):
        based.call("AddTags", {"ResourceArn": arn, "Tags": [{"Key": "more", "Value": "v"}]})
    based.call("AddTags", {"ResourceArn": arn, "Tags": [{"Key": "k0", "Value": "other"}]})
    assert len(based.call("ListTags", {"ResourceArn": arn})["Tags"]) == 50
    based.call("DeleteTags", {"ResourceArn": arn, "TagKeys": ["k0"]})
    assert len(based.call("ListTags", {"ResourceArn": arn})["Tags"]) == 49


def test_a_wrong_answer_is_told_by_name(based: SageMaker) -> None:
    based._operations["ListModels"] = lambda _: {"Models": [{"ModelName": "under_score"}], "Surprise": 1}
    with pytest.raises(ServiceError, match=r"answered ListModels wrongly: unknown member Surprise.*ModelArn"):
        based.call("ListModels", {})

"""Which permissions a SageMaker call needs on the laptop."""

from __future__ import annotations

from local_aws.http.sagemaker_iam_actions import of_control_plane, of_feature_store

ROLE = "arn:aws:iam::000000000000:role/jobs"


def names(operation: str, request: dict[str, object]) -> list[str]:
    return [action.name for action in of_control_plane(operation, request, "000000000000")]


def test_a_job_that_brings_a_role_and_tags_needs_both_rights() -> None:
    request = {"TrainingJobName": "j", "RoleArn": ROLE, "Tags": [{"Key": "a", "Value": "b"}]}
    assert names("CreateTrainingJob", request) == ["sagemaker:CreateTrainingJob", "sagemaker:AddTags", "iam:PassRole"]


def test_a_tuning_job_passes_the_role_of_its_training_jobs() -> None:
    request = {"HyperParameterTuningJobName": "t", "TrainingJobDefinition": {"RoleArn": ROLE}}
    actions = of_control_plane("CreateHyperParameterTuningJob", request, "000000000000")
    assert [action.resource for action in actions if action.name == "iam:PassRole"] == [ROLE]


def test_reading_passes_no_role() -> None:
    assert names("DescribeTrainingJob", {"TrainingJobName": "j"}) == ["sagemaker:DescribeTrainingJob"]


def test_a_batch_of_writes_needs_two_rights_to_each_group_once() -> None:
    arn = "arn:aws:sagemaker:us-east-1:000000000000:feature-group"
    request = {"Entries": [{"FeatureGroupName": name} for name in ("a", "b", f"{arn}/a")]}
    actions = of_feature_store("BatchWriteRecord", request, "000000000000")
    assert [(action.name, action.resource) for action in actions] == [
        ("sagemaker:BatchWriteRecord", f"{arn}/a"),
        ("sagemaker:PutRecord", f"{arn}/a"),
        ("sagemaker:BatchWriteRecord", f"{arn}/b"),
        ("sagemaker:PutRecord", f"{arn}/b"),
    ]

"""SageMaker over HTTP as boto3 speaks it: error classes, bindings, and callers' rights."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_errors_have_their_classes(client: Callable[..., Any]) -> None:
    sagemaker = client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="taken")
    with pytest.raises(ClientError) as error:
        sagemaker.create_model_package_group(ModelPackageGroupName="taken")
    assert error.value.response["Error"]["Message"]
    with pytest.raises(ClientError) as error:
        sagemaker.describe_training_job(TrainingJobName="nobody")
    assert code_of(error) in ("ValidationException", "ResourceNotFound")


def test_what_is_not_emulated_says_so(client: Callable[..., Any]) -> None:
    with pytest.raises(ClientError, match="CreateNotebookInstanceLifecycleConfig"):
        client("sagemaker").create_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName="x")


def test_an_endpoint_that_is_not_there(client: Callable[..., Any]) -> None:
    with pytest.raises(ClientError) as error:
        client("sagemaker-runtime").invoke_endpoint(EndpointName="nobody", Body=b"{}", ContentType="application/json")
    assert code_of(error) == "ValidationError"


def test_times_are_moments(client: Callable[..., Any]) -> None:
    sagemaker = client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="timed")
    described = sagemaker.describe_model_package_group(ModelPackageGroupName="timed")
    assert described["CreationTime"].tzinfo is not None


def test_a_role_needs_the_right(client: Callable[..., Any], role_arn: str) -> None:
    iam, sts = client("iam"), client("sts")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"AWS": sts.get_caller_identity()["Arn"]},
            }
        ],
    }
    limited = iam.create_role(RoleName="limited", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    allowed = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["sagemaker:CreateModelPackageGroup", "sagemaker:CreateModel"],
                "Resource": [
                    "arn:aws:sagemaker:us-east-1:000000000000:model-package-group/mine-*",
                    "arn:aws:sagemaker:us-east-1:000000000000:model/*",
                ],
            }
        ],
    }
    iam.put_role_policy(RoleName="limited", PolicyName="p", PolicyDocument=json.dumps(allowed))
    keys = sts.assume_role(RoleArn=limited, RoleSessionName="session")["Credentials"]
    sagemaker = client(
        "sagemaker",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    sagemaker.create_model_package_group(ModelPackageGroupName="mine-1")
    with pytest.raises(ClientError, match="sagemaker:CreateModelPackageGroup") as error:
        sagemaker.create_model_package_group(ModelPackageGroupName="yours-1")
    assert code_of(error) == "AccessDeniedException"
    with pytest.raises(ClientError, match="iam:PassRole"):
        sagemaker.create_model(ModelName="m", ExecutionRoleArn=role_arn, PrimaryContainer={"Image": "test-image"})


def test_an_unsigned_or_badly_signed_call_is_refused(client: Callable[..., Any]) -> None:
    for keys in ({"aws_access_key_id": "test", "aws_secret_access_key": "test"}, {"aws_secret_access_key": "wrong"}):
        with pytest.raises(ClientError):
            client("sagemaker", **keys).list_models()

"""A really started server, and the environment that an SDK finds it by."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws.tests.sagemaker.support import LABELS, PROGRAM
from local_aws.tests.server.fixtures import client, env, server, state_folder

__all__ = ["client", "env", "server", "state_folder"]

BUCKET = "sdk"


@pytest.fixture(scope="session")
def image_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image of small programs that the other SageMaker tests use."""
    image = {
        "name": "program",
        "interpreter": sys.executable,
        "mounts": {"/opt/program": str(PROGRAM)},
        "path": ["/opt/program"],
        "labels": LABELS,
    }
    path = tmp_path_factory.mktemp("image") / "image.json"
    path.write_text(json.dumps(image))
    return path


@pytest.fixture(scope="session", autouse=True)
def found_by_environment(env: dict[str, str]) -> Iterator[None]:
    """What a person's shell has after ``. .local/aws/env``."""
    from sagemaker.core.utils.utils import SageMakerClient

    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        patch.setenv("AWS_DEFAULT_REGION", env["AWS_REGION"])
        SageMakerClient.reset()
        yield
        SageMakerClient.reset()


@pytest.fixture(scope="session")
def role(client: Callable[..., Any]) -> str:
    """A role for jobs and containers: S3, and logs, as SageMaker's documentation asks for."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "sagemaker.amazonaws.com"}}
        ],
    }
    allowed = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:*", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": "*",
            }
        ],
    }
    iam = client("iam")
    arn = iam.create_role(RoleName="jobs", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="jobs", PolicyName="p", PolicyDocument=json.dumps(allowed))
    return str(arn)


@pytest.fixture(scope="session")
def bucket(client: Callable[..., Any]) -> str:
    """With two rows for jobs to read, and a model for endpoints to serve."""
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="input/rows.csv", Body=b"1,2\n3,4\n")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        info = tarfile.TarInfo("weights")
        tar.addfile(info, io.BytesIO())
    s3.put_object(Bucket=BUCKET, Key="model.tar.gz", Body=archive.getvalue())
    return BUCKET

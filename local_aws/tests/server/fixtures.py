"""A really started server on a free port and a temporary folder, once a session."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from local_aws.tests.sagemaker.support import PROGRAM
from local_aws.tests.server.laptops import Laptop, free_port, run_local_aws
from local_aws.tests.server.machines import Machines


@pytest.fixture(scope="session")
def image_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of this interpreter whose program needs no packages, so that jobs start soon."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "job.py").write_text(JOB)
    mounts = {"/opt/program": str(folder), "/opt/serving": str(PROGRAM)}
    image = {"name": "test-image", "interpreter": sys.executable, "mounts": mounts, "path": ["/opt/serving"]}
    path = folder / "image.json"
    path.write_text(json.dumps(image))
    return path


# All that the machines and functions of these tests do, and no sagemaker:*, which one of them must not be allowed.
_SAGEMAKER = ["CreateProcessingJob", "DescribeProcessingJob", "StopProcessingJob", "CreateModel", "DescribeModel"]
_ALLOWED = [
    *(f"{service}:*" for service in ("s3", "states", "lambda", "sns", "sqs", "dynamodb", "events", "logs")),
    *(f"sagemaker:{name}" for name in _SAGEMAKER),
    "iam:PassRole",
]

# Exits with the code it is given, after the seconds it is given.
JOB = """
import sys, time
time.sleep(float(sys.argv[2]))
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture(scope="session")
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("local-aws")


@pytest.fixture(scope="session")
def server(state_folder: Path, image_file: Path) -> Iterator[dict[str, Any]]:
    done = run_local_aws("up", "--port", free_port(), "--state", str(state_folder), "--image", str(image_file))
    assert done.returncode == 0, done.stderr
    yield json.loads((state_folder / "server.json").read_text())
    run_local_aws("down", "--state", str(state_folder))


@pytest.fixture
def laptop(tmp_path: Path, image_file: Path) -> Iterator[Laptop]:
    """A laptop's AWS of the test's own, not started yet."""
    laptop = Laptop(tmp_path / "aws", image_file)
    yield laptop
    laptop.down()


@pytest.fixture(scope="session")
def env(server: dict[str, Any], state_folder: Path) -> dict[str, str]:
    lines = (state_folder / "env").read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines)
    assert found["AWS_ENDPOINT_URL"] == server["url"]
    return found


@pytest.fixture(scope="session")
def client(env: dict[str, str]) -> Callable[..., Any]:
    def make(service: str, **named: Any) -> Any:
        keys = {
            "aws_access_key_id": env["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": env["AWS_SECRET_ACCESS_KEY"],
            "region_name": env["AWS_REGION"],
            "endpoint_url": env["AWS_ENDPOINT_URL"],
        }
        return boto3.client(service, **{**keys, **named})

    return make


@pytest.fixture(scope="session")
def role_arn(client: Callable[..., Any]) -> str:
    """A role that states, Lambda and SageMaker may assume, allowed what the tests do."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": ["states.amazonaws.com", "lambda.amazonaws.com", "sagemaker.amazonaws.com"]},
            }
        ],
    }
    iam = client("iam")
    role = iam.create_role(RoleName="everything", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": _ALLOWED, "Resource": "*"}],
    }
    iam.put_role_policy(RoleName="everything", PolicyName="p", PolicyDocument=json.dumps(policy))
    return str(role["Arn"])


@pytest.fixture(scope="session")
def machines(client: Callable[..., Any], role_arn: str) -> Machines:
    return Machines(client("stepfunctions"), role_arn)


@pytest.fixture(scope="session")
def bucket(client: Callable[..., Any]) -> str:
    client("s3").create_bucket(Bucket="contract-tests")
    return "contract-tests"


@pytest.fixture(scope="session")
def function(client: Callable[..., Any], role_arn: str) -> Callable[[str], str]:
    """Deploy the source of a Lambda's ``app.py`` (with ``handler``); returns its ARN."""
    import io
    import itertools
    import zipfile

    numbers = itertools.count()

    def deploy(source: str) -> str:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("app.py", source)
        made = client("lambda").create_function(
            FunctionName=f"function-{next(numbers)}",
            Runtime="python3.11",
            Role=role_arn,
            Handler="app.handler",
            Code={"ZipFile": archive.getvalue()},
            Timeout=20,
        )
        return str(made["FunctionArn"])

    return deploy

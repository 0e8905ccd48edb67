"""How many functions run at once: calls beyond a limit are throttled as on AWS, and events wait."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local_aws.tests.server.laptops import Laptop, free_port
from local_aws.tests.server.machines import Machines, eventually

# Runs until its file is there; then says that it ran.
WAITS = """
import os, pathlib, time
def handler(event, context):
    gate = pathlib.Path(event["gate"])
    (gate.parent / f"began-{context.aws_request_id}").touch()
    while not gate.exists():
        time.sleep(0.02)
    return os.getpid()
"""
TRUST = {
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": ["lambda.amazonaws.com"]}}]
}
LIMIT = 3


class Account:
    """A laptop's AWS with a small limit, and functions that wait."""

    def __init__(self, laptop: Laptop, folder: Path) -> None:
        self.laptop = laptop
        self.folder = folder
        self.gate = folder / "gate"
        self.role = laptop.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]

    def function(self, name: str) -> str:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("app.py", WAITS)
        made = self.laptop.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=self.role["Arn"],
            Handler="app.handler",
            Code={"ZipFile": archive.getvalue()},
            Timeout=60,
        )
        return str(made["FunctionArn"])

    def call(self, name: str, kind: str = "RequestResponse") -> Any:
        answer = self._lambda().invoke(
            FunctionName=name, InvocationType=kind, Payload=json.dumps({"gate": str(self.gate)})
        )
        return json.loads(answer["Payload"].read() or "null")

    def began(self) -> int:
        return len(list(self.folder.glob("began-*")))

    def workers(self) -> int:
        """The Lambda workers that run: each has its own script below the state folder."""
        script = str(self.laptop.folder / "tmp").encode()
        commands = (path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())
        return sum(script in command and b"_worker.py" in command for command in commands)

    def _lambda(self) -> Any:
        env = dict(line.split("=", 1) for line in (self.laptop.folder / "env").read_text().splitlines())
        import boto3

        return boto3.client(
            "lambda",
            endpoint_url=env["AWS_ENDPOINT_URL"],
            region_name=env["AWS_REGION"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}, read_timeout=60),
        )


@pytest.fixture
def account(laptop: Laptop, tmp_path: Path) -> Iterator[Account]:
    laptop.up("--port", free_port(), "--lambda-concurrency", str(LIMIT))
    account = Account(laptop, tmp_path)
    yield account
    account.gate.touch()


def test_calls_beyond_the_limit_are_throttled_events_wait_and_workers_are_no_more_than_the_limit(
    account: Account,
) -> None:
    for name in ("one", "two"):
        account.function(name)
    with ThreadPoolExecutor(LIMIT) as pool:
        running = [pool.submit(account.call, "one") for _ in range(LIMIT)]
        eventually(lambda: account.began() == LIMIT)
        with pytest.raises(ClientError) as refused:
            account.call("two")
        assert refused.value.response["Error"]["Code"] == "TooManyRequestsException"
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
        assert refused.value.response["Reason"] == "ConcurrentInvocationLimitExceeded"
        for _ in range(2):
            account.call("two", "Event")
        account.gate.touch()
        assert len({future.result() for future in running}) == LIMIT
    eventually(lambda: account.began() == LIMIT + 2)
    account.call("two")
    eventually(lambda: 0 < account.workers() <= LIMIT)


def test_a_templates_reservation_holds_and_a_throttled_task_has_awss_error_name(
    client: Callable[..., Any], machines: Machines, role_arn: str
) -> None:
    properties = {
        "FunctionName": "reserved",
        "Runtime": "python3.11",
        "Role": role_arn,
        "Handler": "index.handler",
        "Code": {"ZipFile": "def handler(event, context):\n    return 1\n"},
        "ReservedConcurrentExecutions": 0,
    }

    def template(**changed: Any) -> str:
        resource = {"Type": "AWS::Lambda::Function", "Properties": {**properties, **changed}}
        return json.dumps({"Resources": {"Reserved": resource}})

    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName="reserved", TemplateBody=template())
    cloudformation.get_waiter("stack_create_complete").wait(StackName="reserved", WaiterConfig={"Delay": 1})
    once = client("lambda", config=Config(retries={"total_max_attempts": 1}))
    version = once.publish_version(FunctionName="reserved")["Version"]
    for qualifier in ("$LATEST", version):
        with pytest.raises(once.exceptions.TooManyRequestsException):
            once.invoke(FunctionName="reserved", Qualifier=qualifier)
    arn = once.get_function(FunctionName="reserved")["Configuration"]["FunctionArn"]
    call = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": arn},
        "End": True,
    }
    assert machines.run({"Call": call})["error"] == "Lambda.TooManyRequestsException"

    cloudformation.update_stack(StackName="reserved", TemplateBody=template(ReservedConcurrentExecutions=1))
    cloudformation.get_waiter("stack_update_complete").wait(StackName="reserved", WaiterConfig={"Delay": 1})
    assert json.loads(once.invoke(FunctionName="reserved")["Payload"].read()) == 1

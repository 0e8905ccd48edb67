"""A Lambda sees its code, the runtime's packages and Lambda's environment: nothing of the machine it runs on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Client = Callable[..., Any]


@pytest.fixture
def call(client: Client, function: Callable[[str], str]) -> Callable[[str], Any]:
    def deploy_and_call(source: str) -> Any:
        answer = client("lambda").invoke(FunctionName=function(source), Payload=b"{}")
        return json.loads(answer["Payload"].read())

    return deploy_and_call


@pytest.mark.parametrize("package", ["yaml", "pydantic", "ministack", "samtranslator", "setuptools", "local_aws"])
def test_packages_of_the_server_are_not_there(call: Callable[[str], Any], package: str) -> None:
    answer = call(f"import {package}\n\ndef handler(event, context):\n    return 1\n")
    assert answer["errorType"] == "Runtime.ImportModuleError"
    assert f"No module named '{package}'" in answer["errorMessage"]


def test_packages_of_the_runtime_are_there(call: Callable[[str], Any]) -> None:
    source = """
import boto3, botocore, dateutil, importlib.metadata, jmespath, s3transfer, six, urllib3

def handler(event, context):
    return [importlib.metadata.version("boto3"), boto3.client("sts").get_caller_identity()["Arn"]]
"""
    version, arn = call(source)
    assert version[0].isdigit()
    assert ":assumed-role/everything/" in arn


def test_the_environment_is_lambdas(call: Callable[[str], Any]) -> None:
    found = call("import os\n\ndef handler(event, context):\n    return dict(os.environ)\n")
    known = ("AWS_", "LAMBDA_", "_LAMBDA_", "_X_AMZN_")
    names = {name for name in found if not name.startswith(known)}
    assert names <= {"PATH", "LANG", "LC_CTYPE", "TZ", "HOME", "TMPDIR"}
    assert found["AWS_LAMBDA_FUNCTION_NAME"].startswith("function-")
    assert found["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.11"
    assert found["HOME"] == found["TMPDIR"]


def test_the_path_holds_nothing_else(call: Callable[[str], Any]) -> None:
    found = call("import sys\n\ndef handler(event, context):\n    return sys.path\n")
    assert not [entry for entry in found if entry.endswith("site-packages")]
    assert len([entry for entry in found if "lambda-runtime" in entry]) == 1

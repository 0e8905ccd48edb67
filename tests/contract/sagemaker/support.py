"""What the tests of this folder share: names in S3 and IAM, and waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.validate import ParamValidator

from local_aws.sagemaker import SageMaker
from local_aws.sagemaker.validation import operation_model

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).parent / "program"
IMAGE_URI = "000000000000.dkr.ecr.us-east-1.amazonaws.com/program:1"
ROLE = "arn:aws:iam::000000000000:role/jobs"
BUCKET = "contract"
LABELS = {"com.amazonaws.sagemaker.capabilities.multi-models": "true"}


class CheckedSageMaker(SageMaker):
    """The class under test, every answer held to botocore's own description of it."""

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        answer = super().call(operation, request)
        shape = operation_model(operation).output_shape
        if shape is None:
            assert answer == {}, operation
            return answer
        report = ParamValidator().validate(answer, shape)
        # ModelArtifacts is "required" of DescribeTrainingJob and absent until there is a model, on AWS too
        faults = [line for line in report.generate_report().splitlines() if "ModelArtifacts" not in line]
        assert not faults, f"{operation}: {faults}"
        return answer


Make = Callable[..., SageMaker]


def wait_for(done: Callable[[], Any], *, what: str, seconds: float = 30) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = done()
        if found:
            return found
        time.sleep(0.02)
    pytest.fail(f"{what}: not within {seconds} s")


def wait_while(describe: Callable[[], dict[str, Any]], key: str, *statuses: str) -> dict[str, Any]:
    """Describe until the status is none of ``statuses``."""

    def done() -> dict[str, Any] | None:
        found = describe()
        return None if found[key] in statuses else found

    found: dict[str, Any] = wait_for(done, what=f"{key} still {statuses}")
    return found

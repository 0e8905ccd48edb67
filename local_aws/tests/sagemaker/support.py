"""What the tests of this folder share: names in S3 and IAM, and waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from local_aws.sagemaker import SageMaker
from local_aws.sagemaker.core.validation import shape_faults

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).parent / "program"
IMAGE_URI = "000000000000.dkr.ecr.us-east-1.amazonaws.com/program:1"
ROLE = "arn:aws:iam::000000000000:role/jobs"
BUCKET = "contract"
LABELS = {"com.amazonaws.sagemaker.capabilities.multi-models": "true"}


class CheckedSageMaker(SageMaker):
    """The class under test, the record operations' answers held to botocore's own description of them, too.

    The control plane's are by the class itself; for records that would cost more than the records do.
    """

    def feature_store_runtime(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        answer = super().feature_store_runtime(operation, request)
        model = botocore.session.get_session().get_service_model("sagemaker-featurestore-runtime")
        assert shape_faults(model.operation_model(operation).output_shape, answer) == [], operation
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

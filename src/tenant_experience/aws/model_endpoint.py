"""Asking the endpoint: InvokeEndpoint with a target model, its refusals turned into ours."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

# A cold model may take longer than a client should wait: give up early and let the caller come back (503).
_CONFIG = Config(connect_timeout=2, read_timeout=12, retries={"mode": "standard", "total_max_attempts": 2})


@cache
def runtime() -> SageMakerRuntimeClient:
    """One client per process, made on first use."""
    return boto3.client("sagemaker-runtime", config=_CONFIG)


def predict(model_key: str, instances: Sequence[Mapping[str, Any]], *, explain: bool = False) -> dict[str, Any]:
    """Score ``instances`` with the model whose archive lies at ``model_key`` below ``models/``.

    Features that the model does not read are passed over: a record may know more of them than the model, which left
    out what never differs, or is older than a feature.

    Returns:
        the container's answer: model_version, scale, predictions (in the order of the instances).

    Raises:
        PlatformError: ``model_unavailable`` when no answer can be had just now.
    """
    request = {"instances": list(instances), "explain": explain, "ignore_unknown_features": True}
    try:
        response = runtime().invoke_endpoint(
            EndpointName=setting("ENDPOINT"),
            TargetModel=model_key,
            ContentType="application/json",
            Accept="application/json",
            Body=json.dumps(request).encode(),
        )
        answer: dict[str, Any] = json.loads(response["Body"].read())
    except (ClientError, HTTPClientError) as error:
        raise PlatformError(
            f"the endpoint did not answer for model {model_key}: {error}", code="model_unavailable"
        ) from error
    return answer

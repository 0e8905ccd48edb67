"""Calling the endpoint: InvokeEndpoint with a target model, its refusals translated into ours."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from tenant_experience.data_layout import MODELS
from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError
from tenant_experience.models.digests import EXPECTED_DIGEST, ModelDiffersError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

# A cold model may take longer to load than a client should wait: give up early, and let the caller retry (503).
_CONFIG = Config(connect_timeout=2, read_timeout=12, retries={"mode": "standard", "total_max_attempts": 2})
# The container's status for a model without the expected digest, which SageMaker passes on in its ModelError.
_PRECONDITION_FAILED = 412
# Its statuses for what is in a request: to ask the same again would change nothing.
_OF_THE_REQUEST = (400, 413)


@cache
def runtime() -> SageMakerRuntimeClient:
    """One client per process, made on first use."""
    return boto3.client("sagemaker-runtime", config=_CONFIG)


@dataclass(frozen=True)
class EndpointAnswer:
    """What the container answers about some instances (``container/README.md``).

    Attributes:
        model_version: the model's version.
        scale: ``global`` or ``local``.
        predictions: one JSON object for each instance, in their order.
        validation: what the answers are worth; None from an endpoint of an earlier version.
    """

    model_version: str
    scale: str
    predictions: Sequence[Mapping[str, Any]]
    validation: Mapping[str, Any] | None = None


def predict(
    model_key: str,
    instances: Sequence[Mapping[str, Any]],
    *,
    digest: str = "",
    explain: bool = False,
    endpoint: str = "",
) -> EndpointAnswer:
    """Scores ``instances`` with the model whose archive lies at ``model_key`` below ``models/``.

    The model ignores features that it does not read: a record may hold more than the model, which leaves out features
    that never differ, and may be older than a feature.

    Args:
        model_key: which model.
        instances: the tenants.
        digest: of the model that must answer; empty when none was registered.
        explain: whether contributions are wanted.
        endpoint: which one; the stack's own when empty.

    Raises:
        ModelDiffersError: ``model_differs`` when the endpoint has loaded another model from that key.
        PlatformError: ``model_unavailable`` when the endpoint does not answer.
    """
    request = {"instances": list(instances), "explain": explain, "ignore_unknown_features": True}
    try:
        response = runtime().invoke_endpoint(
            EndpointName=endpoint or setting("ENDPOINT"),
            TargetModel=model_key,
            ContentType="application/json",
            Accept="application/json",
            Body=json.dumps(request).encode(),
            **({"CustomAttributes": f"{EXPECTED_DIGEST}={digest}"} if digest else {}),
        )
        document = json.loads(response["Body"].read())
    except (ClientError, HTTPClientError) as error:
        if isinstance(error, ClientError) and error.response.get("OriginalStatusCode") == _PRECONDITION_FAILED:
            raise ModelDiffersError(
                f"the endpoint has loaded a model from {MODELS}/{model_key} that is not the registered one, and does "
                "not answer from it. Find out who changed the archive, and upload the batch again, so that a new "
                "release replaces it",
                code="model_differs",
            ) from error
        raise PlatformError(
            f"the endpoint did not answer for model {model_key}: {error}", code="model_unavailable"
        ) from error
    return EndpointAnswer(
        document["model_version"], document["scale"], document["predictions"], document.get("validation")
    )


def refusal(error: PlatformError) -> str:
    """Why the model refuses what is in the instances, in its own words; empty when it could not answer at all.

    Args:
        error: of :func:`predict`.
    """
    cause = error.__cause__
    if not isinstance(cause, ClientError) or cause.response.get("OriginalStatusCode") not in _OF_THE_REQUEST:
        return ""
    message = str(cause.response.get("OriginalMessage") or "the model refuses it")
    try:
        return str(json.loads(message)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return message

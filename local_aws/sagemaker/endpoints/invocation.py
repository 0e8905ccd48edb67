"""InvokeEndpoint: passes headers and body to the container and back, with AWS's errors.

Error bodies are as the service writes them: aws/sagemaker-tensorflow-serving-container issue 109 (ModelError) and
aws/amazon-sagemaker-examples issue 1216 (ValidationError).
Metrics: https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from local_aws.sagemaker.endpoints.container_client import Answer, ContainerTimeoutError, ContainerUnreachableError
from local_aws.sagemaker.endpoints.endpoints import Endpoints, Live
from local_aws.sagemaker.endpoints.multi_model import (
    TARGET_MODEL,
    ModelDataError,
    ModelNotReadyError,
    RefusedByContainerError,
)
from local_aws.sagemaker.endpoints.serving_process import DrainingError

Response = tuple[int, dict[str, str], bytes]

_MAXIMUM_BYTES = 6291456  # botocore's model, BodyBlob
_FORWARDED = {
    "content-type": "Content-Type",
    "accept": "Accept",
    "x-amzn-sagemaker-custom-attributes": "X-Amzn-SageMaker-Custom-Attributes",
    "x-amzn-sagemaker-inference-id": "X-Amzn-SageMaker-Inference-Id",
}
_NOT_EMULATED = ("x-amzn-sagemaker-inference-component", "x-amzn-sagemaker-target-container-hostname")
_UNAVAILABLE, _GATEWAY_TIMEOUT = 503, 504
_CUSTOM = "X-Amzn-SageMaker-Custom-Attributes"
_TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container {}. Review the latency metrics for each "
    "container in Amazon CloudWatch, resolve the issue, and try again."
)


class Invocations:
    """Answers invocations of any endpoint."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._account = endpoints.context.account
        self._region = endpoints.context.region

    def invoke(self, name: str, headers: Mapping[str, str], body: bytes) -> Response:
        """One invocation: (HTTP status, headers, body), errors included."""
        given = {key.lower(): value for key, value in headers.items()}
        while True:
            try:
                return self._invoke(name, given, body)
            except DrainingError:  # it was replaced between the look-up and the lease
                continue

    def _invoke(self, name: str, given: dict[str, str], body: bytes) -> Response:
        live = self._endpoints.live(name)
        if live is None:
            return _refusal(400, "ValidationError", f"Endpoint {name} of account {self._account} not found.")
        refusal = self._check(name, live, given, body)
        if refusal is not None:
            return refusal
        forwarded = {name: given[key] for key, name in _FORWARDED.items() if key in given}
        with live.serving.lease():
            return self._forward(name, live, given, forwarded, body)

    def _check(self, name: str, live: Live, given: dict[str, str], body: bytes) -> Response | None:
        target = TARGET_MODEL.lower() in given
        if len(body) > _MAXIMUM_BYTES:
            return _refusal(413, "413", f"HTTP content length exceeded {_MAXIMUM_BYTES} bytes.")
        for header in _NOT_EMULATED:
            if header in given:
                return _refusal(400, "ValidationError", f"{header} is not emulated by the laptop's AWS.")
        variant = live.serving.variant["VariantName"]
        if given.get("x-amzn-sagemaker-target-variant", variant) != variant:
            wanted = given["x-amzn-sagemaker-target-variant"]
            return _refusal(400, "ValidationError", f"Variant {wanted} not found for endpoint {name}.")
        if target and live.models is None:
            text = f"Endpoint {name} is not a multi-model endpoint and does not support target model header."
            return _refusal(400, "ValidationError", text, ErrorCode="TARGET_MODEL_HEADER_NOT_SUPPORTED")
        if not target and live.models is not None:
            text = f"Request to endpoint {name} is missing a target model header."
            return _refusal(400, "ValidationError", text, ErrorCode="TARGET_MODEL_HEADER_MISSING")
        return None

    def _forward(
        self, name: str, live: Live, given: dict[str, str], forwarded: dict[str, str], body: bytes
    ) -> Response:
        place = "primary" if live.models is None else "model"
        try:
            if live.models is None:
                answer = live.serving.request("POST", "/invocations", forwarded, body)
            else:
                answer = live.models.invoke(given[TARGET_MODEL.lower()], forwarded, body)
        except ModelDataError as error:
            return _refusal(400, "ValidationError", str(error))
        except ModelNotReadyError:
            text = f"Model {given[TARGET_MODEL.lower()]} is not ready for inference yet. Try your request again."
            return _refusal(429, "ModelNotReadyException", text)
        except RefusedByContainerError as error:
            self._measure(name, live, error.answer.status, error.answer.seconds)
            return self._model_error(name, live, place, error.answer.status, error.answer.body)
        except ContainerTimeoutError:
            self._measure(name, live, _GATEWAY_TIMEOUT, live.serving.context.timing.invocation)
            return self._model_error(name, live, place, 0, _TIMED_OUT.format(place).encode())
        except ContainerUnreachableError:
            self._measure(name, live, _UNAVAILABLE, 0.0)
            text = "The container is not available at the moment. Try your request again."
            return _refusal(503, "ServiceUnavailable", text)
        self._measure(name, live, answer.status, answer.seconds)
        if answer.status >= 400:
            return self._model_error(name, live, place, answer.status, answer.body)
        return answer.status, self._response_headers(live, answer), answer.body

    def _measure(self, name: str, live: Live, status: int, seconds: float) -> None:
        """Write the endpoint's metrics of one invocation."""
        variant = str(live.serving.variant["VariantName"])
        values = {
            "Invocations": (1.0, "None"),
            "Invocation4XXErrors": (float(400 <= status < 500), "None"),
            "Invocation5XXErrors": (float(status >= 500), "None"),
            "InvocationModelErrors": (float(status >= 400), "None"),
            "ModelLatency": (seconds * 1e6, "Microseconds"),
        }
        self._endpoints.context.measure({"EndpointName": name, "VariantName": variant}, values)

    def _response_headers(self, live: Live, answer: Answer) -> dict[str, str]:
        headers = {
            "content-type": answer.header("Content-Type") or "application/octet-stream",
            "x-Amzn-Invoked-Production-Variant": str(live.serving.variant["VariantName"]),
        }
        custom = answer.header(_CUSTOM)
        return headers if custom is None else {**headers, _CUSTOM: custom}

    def _model_error(self, name: str, live: Live, place: str, status: int, body: bytes) -> Response:
        original = body.decode(errors="replace")
        side = "client" if 400 <= status < 500 else "server"
        group = f"/aws/sagemaker/Endpoints/{name}"
        message = (
            f'Received {side} error ({status}) from {place} with message "{original}". See '
            f"{live.serving.folder / 'log'} in account {self._account} for more information."
        )
        return _refusal(
            424,
            "ModelError",
            message,
            ErrorCode="CLIENT_ERROR_FROM_MODEL" if side == "client" else "INTERNAL_FAILURE_FROM_MODEL",
            LogStreamArn=f"arn:aws:logs:{self._region}:{self._account}:log-group:{group}",
            OriginalMessage=original,
            OriginalStatusCode=status,
        )


def _refusal(status: int, code: str, message: str, **more: Any) -> Response:
    headers = {"content-type": "application/json", "x-amzn-errortype": code}
    return status, headers, json.dumps({"Message": message, **more}).encode()

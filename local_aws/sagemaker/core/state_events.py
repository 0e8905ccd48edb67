"""The EventBridge events that SageMaker sends when a status changes.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

log = logging.getLogger(__name__)

PublishEvent = Callable[[str, dict[str, Any], list[str]], None]
"""(detail type, detail, resource ARNs); the source is ``aws.sagemaker``."""

_DETAIL_TYPES = {
    "TrainingJob": "SageMaker Training Job State Change",
    "ProcessingJob": "SageMaker Processing Job State Change",
    "TransformJob": "SageMaker Transform Job State Change",
    "HyperParameterTuningJob": "SageMaker HyperParameter Tuning Job State Change",
    "ModelPackage": "SageMaker Model Package State Change",
    "Endpoint": "SageMaker Endpoint State Change",
    "Model": "SageMaker Model State Change",
    "EndpointConfig": "SageMaker Endpoint Config State Change",
    "FeatureGroup": "SageMaker Feature Group State Change",
}


def publish(sink: PublishEvent | None, kind: str, document: dict[str, Any], tags: list[dict[str, str]]) -> None:
    """Send the event of a resource's current status. A failure is only logged, so that no job fails because of it."""
    if sink is None:
        return
    detail = _plain({key: value for key, value in document.items() if not key.startswith("_")})
    detail["Tags"] = {tag["Key"]: tag["Value"] for tag in tags}
    if kind == "Endpoint":  # IN_SERVICE, not InService, in the event
        detail["EndpointStatus"] = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", detail["EndpointStatus"]).upper()
    try:
        sink(_DETAIL_TYPES[kind], detail, [document[f"{kind}Arn"]])
    except Exception:
        log.exception("the event of %s was not published", document[f"{kind}Arn"])


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value

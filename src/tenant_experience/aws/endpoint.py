"""The multi-model endpoint: created once, and updated only when the settings of what it runs change."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tenant_experience.aws.figure_metrics import cloudwatch
from tenant_experience.aws.model_registry import sagemaker
from tenant_experience.errors import PlatformError
from tenant_experience.release.roll_out import RollOut, overridden_properties

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.literals import ProductionVariantInstanceTypeType

VARIANT = "AllTraffic"
logger = logging.getLogger(__name__)


class EndpointNotReadyError(PlatformError):
    """The endpoint is not ready yet; ask again. The state machine retries this error by its name."""


class EndpointNotUpdatedError(PlatformError):
    """The new image did not take the place of the earlier one, which goes on answering. A redrive tries again."""


@dataclass(frozen=True)
class EndpointSettings:
    """Everything that decides what the endpoint runs.

    Attributes:
        name: the endpoint's name.
        image: the container.
        models_url: the ``s3://`` prefix of the archives.
        role_arn: the role of the container.
        instance_type: e.g. ``ml.m5.large``.
        instance_count: at least 1.
    """

    name: str
    image: str
    models_url: str
    role_arn: str
    instance_type: ProductionVariantInstanceTypeType
    instance_count: int

    @property
    def config_name(self) -> str:
        """One name for one content: equal settings give the same model and endpoint config, others a new one."""
        digest = hashlib.sha256("\n".join(map(str, astuple(self))).encode()).hexdigest()[:10]
        return f"{self.name}-{digest}"

    @property
    def candidate(self) -> EndpointSettings:
        """One instance of the same beside it. No project can have this name, which is too long for one."""
        return replace(self, name=f"{self.name}-candidate-endpoint", instance_count=1)


def ensure_in_service(
    settings: EndpointSettings, roll_out: RollOut, *, first_call: bool, entered: datetime, check: Callable[[str], None]
) -> str:
    """Brings the endpoint to ``settings``, one step per call.

    What answers is replaced only after an endpoint of the same settings beside it, the candidate, has been checked.

    Args:
        settings: what it should run.
        roll_out: how an update goes on, and what takes it back.
        first_call: whether this is the first call of an execution or of its redrive. An update that SageMaker rolled
            back is then tried again; on a later call it is a failure.
        entered: when the execution began with this step.
        check: asks the candidate, whose name it gets; an error of it leaves the endpoint as it is.

    Returns:
        ``in_service``.

    Raises:
        EndpointNotReadyError: while it is being created, updated or deleted.
        EndpointNotUpdatedError: when the earlier settings go on answering, because of the new ones.
        PlatformError: ``endpoint_failed`` when it could not be created.
    """
    found = _describe(settings.name)
    if found is None:
        _create(settings)
        raise EndpointNotReadyError(f"endpoint {settings.name} is being created", code="endpoint_not_ready")
    status, config, reason = (
        found["EndpointStatus"],
        found["EndpointConfigName"],
        found.get("FailureReason", "").rstrip("."),
    )
    if status == "Failed":
        sagemaker().delete_endpoint(EndpointName=settings.name)
        raise PlatformError(
            f"endpoint {settings.name} could not be created: {reason}. It was deleted; redrive the "
            "execution to try again",
            code="endpoint_failed",
        )
    if status == "UpdateRollbackFailed":
        raise EndpointNotUpdatedError(
            f"endpoint {settings.name} could neither be updated nor be rolled back: {reason}. Instances of the earlier "
            "and of the new image answer. Update it by hand to the endpoint config that should answer, and redrive the "
            "execution",
            code="endpoint_roll_back_failed",
        )
    if status != "InService":
        raise EndpointNotReadyError(f"endpoint {settings.name} is {status}", code="endpoint_not_ready")
    candidate = _describe(settings.candidate.name)
    if config == settings.config_name:
        _delete(candidate)
        return "in_service"
    if reason and not first_call and not _is_there(candidate) and found["LastModifiedTime"] >= entered:
        raise EndpointNotUpdatedError(
            f"endpoint {settings.name} was rolled back to {config}: {reason}. The earlier image goes on answering, and "
            "nothing was published. Correct the image, deploy it, and redrive the execution",
            code="endpoint_not_updated",
        )
    _ensure_candidate(settings.candidate, candidate)
    try:
        check(settings.candidate.name)
    except PlatformError:
        if _is_replaced(settings.name, config):  # by another release, which deletes the candidate
            raise EndpointNotReadyError(f"endpoint {settings.name} has changed", code="endpoint_not_ready") from None
        sagemaker().delete_endpoint(EndpointName=settings.candidate.name)
        raise
    _update(settings, roll_out, config)
    _delete(_describe(settings.candidate.name))
    raise EndpointNotReadyError(f"endpoint {settings.name} is being updated", code="endpoint_not_ready")


def _create(settings: EndpointSettings) -> None:
    _ensure_config(settings)
    sagemaker().create_endpoint(EndpointName=settings.name, EndpointConfigName=settings.config_name)


def _update(settings: EndpointSettings, roll_out: RollOut, before: str) -> None:
    _ensure_config(settings)
    instances = None
    if _has_config(before):
        variants = sagemaker().describe_endpoint_config(EndpointConfigName=before)["ProductionVariants"]
        instances = variants[0].get("InitialInstanceCount")
    sagemaker().update_endpoint(
        EndpointName=settings.name,
        EndpointConfigName=settings.config_name,
        DeploymentConfig=_watched(roll_out).deployment_config(settings.instance_count),
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=overridden_properties(instances, settings.instance_count),
    )


def _watched(roll_out: RollOut) -> RollOut:
    """The same without the alarms that are on already: they would take back the image that mends what they tell of."""
    known = cloudwatch().describe_alarms(AlarmNames=list(roll_out.alarms))["MetricAlarms"]
    on = sorted(alarm["AlarmName"] for alarm in known if alarm["StateValue"] == "ALARM")
    if on:
        logger.warning("alarms that are on already do not watch the update", extra={"alarms": on})
    return replace(roll_out, alarms=[name for name in roll_out.alarms if name not in on])


def _ensure_candidate(settings: EndpointSettings, found: dict[str, Any] | None) -> None:
    """Brings the candidate into service.

    Raises:
        EndpointNotReadyError: until it is.
        EndpointNotUpdatedError: ``image_not_healthy`` when it cannot be; it was deleted.
    """
    if found is None:
        _create(settings)
    elif found["EndpointStatus"] == "Failed":
        sagemaker().delete_endpoint(EndpointName=settings.name)
        raise EndpointNotUpdatedError(
            f"image {settings.image} could not be started beside the one that answers: "
            f"{found.get('FailureReason', '').rstrip('.')}. The earlier image goes on answering, and nothing was "
            "published. Correct the image, deploy it, and redrive the execution",
            code="image_not_healthy",
        )
    elif found["EndpointStatus"] == "InService":
        if found["EndpointConfigName"] == settings.config_name:
            return
        sagemaker().delete_endpoint(EndpointName=settings.name)  # an earlier execution left it
    raise EndpointNotReadyError(f"endpoint {settings.name} is not ready yet", code="endpoint_not_ready")


def _is_there(candidate: dict[str, Any] | None) -> bool:
    return candidate is not None and candidate["EndpointStatus"] != "Deleting"


def _is_replaced(name: str, config: str) -> bool:
    found = _describe(name)
    return found is None or found["EndpointStatus"] != "InService" or found["EndpointConfigName"] != config


def _delete(candidate: dict[str, Any] | None) -> None:
    """Deletes the candidate, unless it is going already; one that is being created is deleted by a later release."""
    if candidate is not None and candidate["EndpointStatus"] in ("InService", "Failed"):
        sagemaker().delete_endpoint(EndpointName=candidate["EndpointName"])


def _describe(name: str) -> dict[str, Any] | None:
    """The endpoint, or None. A listing says whether it exists, because the code of a refused Describe does not."""
    pages = sagemaker().get_paginator("list_endpoints").paginate(NameContains=name)  # other names may contain it
    if not any(endpoint["EndpointName"] == name for page in pages for endpoint in page["Endpoints"]):
        return None
    return dict(sagemaker().describe_endpoint(EndpointName=name))


def _has_config(name: str) -> bool:
    listed = sagemaker().list_endpoint_configs(NameContains=name)["EndpointConfigs"]
    return any(config["EndpointConfigName"] == name for config in listed)


def _ensure_config(settings: EndpointSettings) -> None:
    """Creates the model and the endpoint config unless they exist: one name has one content (see ``config_name``)."""
    name = settings.config_name
    if not sagemaker().list_models(NameContains=name)["Models"]:
        sagemaker().create_model(
            ModelName=name,
            ExecutionRoleArn=settings.role_arn,
            PrimaryContainer={"Image": settings.image, "Mode": "MultiModel", "ModelDataUrl": settings.models_url},
        )
    if not _has_config(name):
        sagemaker().create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[
                {
                    "VariantName": VARIANT,
                    "ModelName": name,
                    "InstanceType": settings.instance_type,
                    "InitialInstanceCount": settings.instance_count,
                }
            ],
        )

"""The multi-model endpoint: created once, and updated only when the settings of what it runs change."""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from tenant_experience.aws.model_registry import sagemaker
from tenant_experience.errors import PlatformError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.literals import ProductionVariantInstanceTypeType

VARIANT = "AllTraffic"


class EndpointNotReadyError(PlatformError):
    """The endpoint is not ready yet; ask again. The state machine retries this error by its name."""


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


def ensure_in_service(settings: EndpointSettings, *, first_call: bool) -> str:
    """Brings the endpoint to ``settings``, one step per call.

    Args:
        settings: what it should run.
        first_call: whether this is the first call of an execution or of its redrive. An update that SageMaker rolled
            back is then tried again; on a later call it is a failure.

    Returns:
        ``in_service``.

    Raises:
        EndpointNotReadyError: while it is being created, updated or deleted.
        PlatformError: ``endpoint_failed`` when it could not be created; ``endpoint_not_updated`` when SageMaker rolled
            it back to the previous config.
    """
    found = _describe(settings.name)
    if found is None:
        _ensure_config(settings)
        sagemaker().create_endpoint(EndpointName=settings.name, EndpointConfigName=settings.config_name)
        raise EndpointNotReadyError(f"endpoint {settings.name} is being created", code="endpoint_not_ready")
    status, config, reason = found["EndpointStatus"], found["EndpointConfigName"], found.get("FailureReason", "")
    if status == "Failed":
        sagemaker().delete_endpoint(EndpointName=settings.name)
        raise PlatformError(
            f"endpoint {settings.name} could not be created: {reason}. It was deleted; redrive the "
            "execution to try again",
            code="endpoint_failed",
        )
    if status != "InService":
        raise EndpointNotReadyError(f"endpoint {settings.name} is {status}", code="endpoint_not_ready")
    if config == settings.config_name:
        return "in_service"
    if reason and not first_call and _was_tried(settings):
        raise PlatformError(
            f"endpoint {settings.name} was rolled back to {config}: {reason}. Correct the image, deploy it, and "
            "redrive the execution",
            code="endpoint_not_updated",
        )
    _ensure_config(settings)
    sagemaker().update_endpoint(EndpointName=settings.name, EndpointConfigName=settings.config_name)
    raise EndpointNotReadyError(f"endpoint {settings.name} is being updated", code="endpoint_not_ready")


def _describe(name: str) -> dict[str, Any] | None:
    """The endpoint, or None. A listing says whether it exists, because the code of a refused Describe does not."""
    pages = sagemaker().get_paginator("list_endpoints").paginate(NameContains=name)  # other names may contain it
    if not any(endpoint["EndpointName"] == name for page in pages for endpoint in page["Endpoints"]):
        return None
    return dict(sagemaker().describe_endpoint(EndpointName=name))


def _was_tried(settings: EndpointSettings) -> bool:
    listed = sagemaker().list_endpoint_configs(NameContains=settings.config_name)["EndpointConfigs"]
    return any(config["EndpointConfigName"] == settings.config_name for config in listed)


def _ensure_config(settings: EndpointSettings) -> None:
    """Creates the model and the endpoint config unless they exist: one name has one content (see ``config_name``)."""
    name = settings.config_name
    if not sagemaker().list_models(NameContains=name)["Models"]:
        sagemaker().create_model(
            ModelName=name,
            ExecutionRoleArn=settings.role_arn,
            PrimaryContainer={"Image": settings.image, "Mode": "MultiModel", "ModelDataUrl": settings.models_url},
        )
    if not _was_tried(settings):
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

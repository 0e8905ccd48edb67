"""SageMaker on this server: built, wired to HTTP and to state machines, and given its roles' credentials."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local_aws import ministack_adapter
from local_aws.errors import LocalAwsError
from local_aws.http_records import RecordsHttp
from local_aws.http_sagemaker import SageMakerHttp
from local_aws.ministack_adapter import callers, services
from local_aws.ministack_adapter.states.sagemaker import ServiceFaultError
from local_aws.sagemaker import SageMaker, ServiceError, load_image
from local_aws.sagemaker.images import ImageError

_PRINCIPAL = "sagemaker.amazonaws.com"


def start(
    *, folder: Path, url: str, region: str, account: str, image_files: Sequence[Path]
) -> tuple[SageMaker, RecordsHttp]:
    """Build the service, register it with MiniStack, and return it with the short way to its records.

    Raises:
        LocalAwsError: an image file is wrong.
    """
    try:
        images = [load_image(path, Path.cwd()) for path in image_files]
    except ImageError as error:
        raise LocalAwsError(str(error)) from error
    service = SageMaker(
        state_dir=folder, endpoint_url=url, region=region, account=account, images=images, credentials=_credentials
    )

    def call(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return service.call(operation, request)
        except ServiceError as error:
            raise ServiceFaultError(error.code, error.message, error.status) from error

    http = SageMakerHttp(service, ServiceError, services.authorize, account)
    ministack_adapter.register_sagemaker(http.handle, call)
    return service, RecordsHttp(service, ServiceError, services.is_allowed, account)


def _credentials(role_arn: str, session_name: str) -> dict[str, str]:
    try:
        return callers.session_credentials(role_arn, session_name, _PRINCIPAL)
    except PermissionError as error:
        raise ServiceError("ValidationException", f"Could not assume role {role_arn}: {error}") from error

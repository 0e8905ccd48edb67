"""Builds SageMaker, connects it to HTTP and to state machines, and gives it the credentials of roles."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local_aws import ministack_patches
from local_aws.errors import LocalAwsError
from local_aws.faults.rules import FaultError, Faults
from local_aws.http.records import RecordsHttp
from local_aws.http.sagemaker import SageMakerHttp
from local_aws.ministack_patches import services
from local_aws.ministack_patches.iam import callers
from local_aws.ministack_patches.states.sagemaker import ServiceFaultError
from local_aws.sagemaker import SageMaker, ServiceError, Timing, load_image
from local_aws.sagemaker.core.child_process import ChildProcess
from local_aws.sagemaker.core.images import ImageError

_PRINCIPAL = "sagemaker.amazonaws.com"
_SURELY_STARTED_S = 0.05  # after this time the launcher of a process can end it


def start(
    *, folder: Path, url: str, region: str, account: str, image_files: Sequence[Path], faults: Faults
) -> tuple[SageMaker, RecordsHttp]:
    """Build the service and register it with MiniStack; returns it, and what answers record operations quickly.

    Raises:
        LocalAwsError: an image file is wrong.
    """
    try:
        images = [load_image(path, Path.cwd()) for path in image_files]
    except ImageError as error:
        raise LocalAwsError(str(error)) from error
    service = SageMaker(
        state_dir=folder,
        endpoint_url=url,
        region=region,
        account=account,
        images=images,
        credentials=_credentials,
        timing=Timing(wait_scale=float(os.environ.get("SFN_WAIT_SCALE", "1"))),
        publish_event=services.publish_event,
        record_metric=services.metric_recorder(account, region),
    )

    def call(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            if faults.rules:
                made: dict[str, Any] = faults.perform(
                    "sagemaker", operation, request, lambda: service.call(operation, request)
                )
                return made
            return service.call(operation, request)
        except (ServiceError, FaultError) as error:
            raise ServiceFaultError(error.code, error.message, error.status) from error

    _show_processes(faults, folder)
    http = SageMakerHttp(service, ServiceError, services.authorize, account)
    ministack_patches.register_sagemaker(http.handle, call)
    return service, RecordsHttp(service, ServiceError, services.is_allowed, account)


def _show_processes(faults: Faults, folder: Path) -> None:
    """Ask the rules about every process of a job or an endpoint when it starts."""

    def show(process: ChildProcess, place: Path) -> None:
        if faults.rules:
            _strike(faults, process, *place.relative_to(folder).parts[:2])

    ChildProcess.on_start = show


def _strike(faults: Faults, process: ChildProcess, kind: str, name: str) -> None:
    """End a process when a rule says so: a job's after some seconds, an endpoint's before it is healthy."""
    rule = faults.find(kind.removesuffix("s"), name)
    if rule is None:
        return
    started, seconds = time.monotonic(), rule.kill_after

    def end() -> None:
        while process.pid is None and process.running:
            time.sleep(0.005)
        time.sleep(max(_SURELY_STARTED_S, started + seconds - time.monotonic()))
        process.kill()

    threading.Thread(target=end, name=f"ordered end of {name}", daemon=True).start()


def _credentials(role_arn: str, session_name: str) -> dict[str, str]:
    try:
        return callers.session_credentials(role_arn, session_name, _PRINCIPAL)
    except PermissionError as error:
        raise ServiceError("ValidationException", f"Could not assume role {role_arn}: {error}") from error

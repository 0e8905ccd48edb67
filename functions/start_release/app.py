"""A manifest has arrived, or history is requested: keep the use case as it is now, and start one release of it.

A repeated event or request starts no second release.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from aws_lambda_powertools import Logger

from tenant_experience import data_layout
from tenant_experience.aws import executions, notifications, objects, stage_notices
from tenant_experience.environment import setting
from tenant_experience.errors import UserError
from tenant_experience.log_redaction import redacted_json
from tenant_experience.release import failure_email, stage_email
from tenant_experience.release.release import HistoryRequest, ManifestArrival
from tenant_experience.use_case import files as use_case_files
from tenant_experience.use_case.manifest import requested_by_of
from tenant_experience.use_case.processing import check_training_image, read_processing

logger = Logger(service="start_release", json_serializer=redacted_json)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Takes an EventBridge ``Object Created`` event or a request for history, and answers the release it stands for."""
    return _record_history(event) if HistoryRequest.is_meant_by(event) else _release(event)


def _release(event: dict[str, Any]) -> dict[str, Any]:
    try:
        arrival = ManifestArrival.from_event(event)
        details = {"use_case": arrival.use_case, "batch": arrival.batch, "requested_at": arrival.arrived_at}
        manifest = objects.find_bytes(arrival.bucket, event["detail"]["object"]["key"]) or b""
        if requested_by := requested_by_of(manifest):
            details["requested_by"] = requested_by
        started = _start(arrival.bucket, arrival.release, details)
    except UserError as refusal:
        folder = f"{PurePosixPath(event['detail']['object']['key']).parent}/"
        notifications.send(*failure_email.write_refusal(folder, refusal.message, refusal.code))
        logger.warning("batch refused", extra={"code": refusal.code, "batch": folder})
        return {"release": None, "code": refusal.code}
    batch = data_layout.raw_batch(arrival.use_case, arrival.batch)
    stage_notices.tell(arrival.release, partial(stage_email.started, arrival.release, batch))
    return started


def _record_history(event: dict[str, Any]) -> dict[str, Any]:
    """The caller waits for the answer, so a refusal is returned and not e-mailed."""
    now = datetime.now(UTC)
    try:
        request = HistoryRequest.from_event(event, now)
        details = {
            "use_case": request.use_case,
            "batch": request.batch,
            "requested_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "as_of": f"{request.as_of:%Y-%m-%dT%H:%M:%SZ}",
            "history_only": True,
        }
        return _start(setting("DATA_BUCKET"), request.release, details)
    except UserError as refusal:
        return {"release": None, "code": refusal.code, "message": refusal.message}


def _start(bucket: str, release: str, details: dict[str, Any]) -> dict[str, Any]:
    """Keeps the use case and starts the execution.

    Raises:
        UserError: the use case does not exist, or this stack cannot process it.
    """
    files = use_case_files.find(details["use_case"])
    processing = read_processing(files["use_case.yaml"], os.environ.get("SPARK_IMAGE_URI", ""))
    check_training_image(files["use_case.yaml"], os.environ.get("TRAINING_IMAGE_URI", ""))
    for name, content in files.items():
        objects.write_once(bucket, data_layout.use_case_snapshot(release) + name, content)
    executions.start(release, {"release": release, "processing": asdict(processing), **details})
    logger.info("release started", extra={"release": release})
    return {"release": release}

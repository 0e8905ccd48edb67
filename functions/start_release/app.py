"""A manifest has arrived: keep the use case as it is now, and start one release. However often the event comes."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import Any

from aws_lambda_powertools import Logger

from tenant_experience import data_layout, use_case_files
from tenant_experience.aws import executions, notifications, objects
from tenant_experience.errors import UserError
from tenant_experience.processing import read_processing
from tenant_experience.release import ManifestArrival

logger = Logger(service="start_release")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Take an EventBridge ``Object Created`` event; answer the release it stands for."""
    try:
        arrival = ManifestArrival.from_event(event)
        files = use_case_files.find(arrival.use_case)
        processing = read_processing(files["use_case.yaml"], os.environ.get("SPARK_IMAGE_URI", ""))
    except UserError as refusal:
        batch = PurePosixPath(event["detail"]["object"]["key"]).parent.name
        notifications.send(f"Batch {batch} was refused", refusal.message)
        logger.warning("batch refused", extra={"code": refusal.code, "batch": batch})
        return {"release": None, "code": refusal.code}
    for name, content in files.items():
        objects.write_once(arrival.bucket, data_layout.use_case_snapshot(arrival.release) + name, content)
    executions.start(
        arrival.release,
        {
            "release": arrival.release,
            "use_case": arrival.use_case,
            "batch": arrival.batch,
            "requested_at": arrival.arrived_at,
            "processing": processing,
        },
    )
    logger.info("release started", extra={"release": arrival.release})
    return {"release": arrival.release}

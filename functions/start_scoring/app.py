"""Something is to be answered: keep the use case as it is now, and start one scoring run.

It is a batch below ``score/``, a file that somebody asks for, a release that has just been published, or the night. A
repeated event starts no second run.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from tenant_experience import data_layout
from tenant_experience.aws import executions, notifications, objects, release_table
from tenant_experience.environment import setting
from tenant_experience.errors import UserError
from tenant_experience.log_redaction import redacted_json
from tenant_experience.release import failure_email
from tenant_experience.release.scoring_run import ScoringRun
from tenant_experience.use_case import files as use_case_files

logger = Logger(service="start_scoring", json_serializer=redacted_json)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Takes an event of S3, of a release that ended, ``Scoring Requested``, or of the schedule; answers the runs."""
    started, codes = [], []
    try:
        runs = _runs(event)
    except UserError as refusal:
        return {"runs": [], "code": _refuse(_asked_for(event), refusal)}
    for run in runs:
        try:
            _start(run)
        except UserError as refusal:  # the night goes on with the next use case
            codes.append(_refuse(_asked_for(event) if run.kind == "batch" else f"{run.use_case}: {run.batch}", refusal))
        else:
            started.append(run.run)
    return {"runs": started} | ({"code": codes[0]} if codes else {})


def _refuse(what: str, refusal: UserError) -> str:
    notifications.send(*failure_email.write_scoring_refusal(what, refusal.message, refusal.code))
    logger.warning("not scored", extra={"code": refusal.code})
    return refusal.code


def _runs(event: dict[str, Any]) -> list[ScoringRun]:
    kind = event.get("detail-type")
    if kind == "Object Created":
        return [ScoringRun.of_manifest(event)]
    if kind == "Scoring Requested":
        return [ScoringRun.of_request(event)]
    if kind == "Step Functions Execution Status Change":
        run = ScoringRun.of_release(event)
        return [] if run is None else [run]
    return ScoringRun.of_night(event["time"], [name for name in use_case_files.names() if _is_live(name)])


def _asked_for(event: dict[str, Any]) -> str:
    detail = event.get("detail", {})
    return str(detail.get("key") or detail.get("object", {}).get("key") or event.get("detail-type"))


def _is_live(use_case: str) -> bool:
    return release_table.read_live(use_case) is not None


def _start(run: ScoringRun) -> None:
    """Keeps the use case and starts the execution.

    Raises:
        UserError: the use case does not exist, or has no live release.
    """
    files = use_case_files.find(run.use_case)
    if not _is_live(run.use_case):
        raise UserError(
            f"no release of {run.use_case} is live, so nothing can answer for {run.folder}: release models first, then "
            "upload the batch again",
            code="no_live_release",
        )
    for name, content in files.items():
        objects.write_once(setting("DATA_BUCKET"), data_layout.use_case_snapshot(run.run) + name, content)
    executions.start(run.run, run.execution_input())
    logger.info("scoring started", extra={"run": run.run})

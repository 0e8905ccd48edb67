"""An execution ended without a release: tells the subscribers what happened and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from tenant_experience.aws import executions, link_signature, notifications
from tenant_experience.log_redaction import redacted_json
from tenant_experience.release import failure_email
from tenant_experience.release.failure import Failure

logger = Logger(service="notify_failure", json_serializer=redacted_json)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Takes an EventBridge ``Step Functions Execution Status Change`` event and sends one e-mail."""
    detail = event["detail"]
    if failure_email.is_told(detail):
        return {"subject": ""}
    subject, text = failure_email.write(
        detail, _failed_shards(detail), last_state=_last_state(detail), run_page=_run_page(detail)
    )
    notifications.send(subject, text)
    logger.info("failure notified", extra={"execution": detail["name"], "status": detail["status"]})
    return {"subject": subject}


def _failed_shards(detail: Mapping[str, Any]) -> list[Failure]:
    """Why shards failed, when only the child executions know. An e-mail without this is better than none."""
    if not failure_email.needs_shards(detail):
        return []
    try:
        return executions.failed_shards(detail["executionArn"])
    except (BotoCoreError, ClientError):
        logger.exception("the failed shards cannot be read", extra={"execution": detail["name"]})
        return []


def _last_state(detail: Mapping[str, Any]) -> str:
    """In which state the execution ended; empty where Step Functions does not say."""
    try:
        return executions.last_state(detail["executionArn"])
    except (BotoCoreError, ClientError):
        logger.exception("the history cannot be read", extra={"execution": detail["name"]})
        return ""


def _run_page(detail: Mapping[str, Any]) -> str:
    """The link to the page of the run; empty for a scoring run, which has none, and where KMS does not sign it."""
    if failure_email.is_scoring(detail):
        return ""
    try:
        return link_signature.link_to_run(detail["name"])
    except (BotoCoreError, ClientError):
        logger.exception("the link to the run cannot be signed", extra={"execution": detail["name"]})
        return ""

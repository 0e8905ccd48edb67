"""An execution ended without a release: tells the subscribers what happened and what to do next."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from tenant_experience.aws import notifications
from tenant_experience.log_redaction import redacted_json
from tenant_experience.release import failure_email

logger = Logger(service="notify_failure", json_serializer=redacted_json)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Takes an EventBridge ``Step Functions Execution Status Change`` event and sends one e-mail."""
    subject, text = failure_email.write(event["detail"])
    notifications.send(subject, text)
    logger.info("failure notified", extra={"execution": event["detail"]["name"], "status": event["detail"]["status"]})
    return {"subject": subject}

"""NotifyWebhook: posts each notice of the operators' topic to a chat or another program."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from webhook_post import post

from tenant_experience.aws import secrets
from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError
from tenant_experience.log_redaction import redacted_json
from tenant_experience.release import webhook

logger = Logger(service="notify_webhook", json_serializer=redacted_json)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Takes the messages of a topic.

    Raises:
        PlatformError: ``webhook_failed`` or ``bad_webhook``. Lambda calls again twice, and then keeps the event in the
            queue of undelivered ones.
    """
    form = setting("WEBHOOK_FORMAT")
    for record in event["Records"]:
        notice = record["Sns"]
        content = webhook.body(form, notice.get("Subject") or "", notice["Message"], notice["Timestamp"])
        try:
            status = post(secrets.read(setting("WEBHOOK_SECRET")), content)
        except PlatformError as error:
            logger.error("notice not posted", extra={"code": error.code, "reason": error.message})  # noqa: TRY400
            raise PlatformError(error.message, code=error.code) from None
        logger.info("notice posted", extra={"status": status})
    return {"posted": len(event["Records"])}

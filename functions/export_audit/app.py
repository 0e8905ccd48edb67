"""Rows were added to the audit: copies each of them to S3, once, and says so when a row was changed or removed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from tenant_experience import data_layout
from tenant_experience.aws import audit, notifications, objects
from tenant_experience.environment import setting
from tenant_experience.log_redaction import redacted_json

logger = Logger(service="export_audit", json_serializer=redacted_json)


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Takes records of the audit table's stream. An error makes Lambda repeat those from the first that failed."""
    for record in event["Records"]:
        try:
            _export(record)
        except (BotoCoreError, ClientError):
            logger.exception("a row of the audit is not exported yet")
            return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}
    return {"batchItemFailures": []}


def _export(record: Mapping[str, Any]) -> None:
    change, what = record["eventName"], record["dynamodb"]
    release, at = what["Keys"]["release"]["S"], what["Keys"]["at"]["S"]
    row = audit.document(what.get("NewImage", what["Keys"]))
    if change == "INSERT":
        key = data_layout.audit_row(row["use_case"], release, at)
    else:
        key = data_layout.changed_audit_row(release, at, change, what["SequenceNumber"])
    is_new = objects.write_once(setting("AUDIT_BUCKET"), key, json.dumps(row, ensure_ascii=False).encode())
    if is_new and change != "INSERT":
        logger.error("a row of the audit was changed", extra={"release": release, "change": change})
        notifications.send(
            f"A row of the audit of {release} was changed",
            f"Somebody changed or removed the row {at} of the audit of {release} ({change}).\n\n"
            f"As it was first: below audit/ in the bucket {setting('AUDIT_BUCKET')}.\nAs it is now: {key}\n\n"
            "No role of this stack does that. CloudTrail says who put an item into the table of the audit, or changed "
            "the table's policy.",
        )

"""FollowUpApprovals: reminders, links that were not sent, requests that expire, and decisions not delivered yet."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime
from typing import Any

from aws_lambda_powertools import Logger

from tenant_experience.aws import follow_up, request_index
from tenant_experience.log_redaction import redacted_json
from tenant_experience.use_case import files as use_case_files

logger = Logger(service="follow_up_approvals", json_serializer=redacted_json)
_LIFE_SECONDS = 330  # longer than the function's time-out


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Takes ``time`` from the schedule, which is the moment that everything is measured by, and says what was done.

    The schedule may call twice, and calls again while an earlier call still runs: only one of them does something.
    """
    now = int(datetime.fromisoformat(event["time"]).timestamp()) if "time" in event else int(time.time())
    with request_index.lease(int(time.time()), _LIFE_SECONDS) as is_mine:
        if not is_mine:
            return {"busy": True}
        done, troubles = follow_up.follow_up(use_case_files.names(), now)
    for each in troubles:
        logger.error(
            "not done yet", exc_info=each.error, extra={"approval": each.approval_id, "kind": type(each.error).__name__}
        )
    logger.info("followed up", extra=asdict(done))
    return asdict(done)

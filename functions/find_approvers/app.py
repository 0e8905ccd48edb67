"""FindApprovers: makes sure, before a job is paid for, that there are people who can be asked about the release."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from tenant_experience import data_layout
from tenant_experience.aws import approvers, client_errors, objects
from tenant_experience.environment import setting
from tenant_experience.log_redaction import redacted_json
from tenant_experience.release import approver
from tenant_experience.use_case import approval_rules

logger = Logger(service="find_approvers", json_serializer=redacted_json)


@client_errors.named
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Counts who may decide; too few end the execution with ``ApproverNotSubscribedError``.

    Args:
        event: release, use_case, batch, live (the live release, or an empty text) and requested_by (which may be
            missing).
    """
    bucket = setting("DATA_BUCKET")
    use_case = objects.read_bytes(bucket, data_layout.use_case_snapshot(event["release"]) + "use_case.yaml")
    manifest = objects.read_bytes(
        bucket, data_layout.raw_batch(event["use_case"], event["batch"]) + data_layout.MANIFEST
    )
    if not approval_rules.asks_for_models(manifest, use_case, has_live=bool(event["live"])):
        return {"approvers": None}
    rules = approval_rules.read_approval_rules(use_case)
    found = approver.who_may_decide(approvers.confirmed(), rules, event.get("requested_by", ""))
    logger.info("approvers found", extra={"release": event["release"], "approvers": len(found)})
    return {"approvers": len(found)}

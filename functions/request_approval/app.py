"""RequestApproval: asks a person, by e-mail, whether this release may go live. The execution waits for the answer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from aws_lambda_powertools import Logger

from tenant_experience import data_layout
from tenant_experience.aws import (
    approvals,
    client_errors,
    executions,
    link_signature,
    notifications,
    objects,
    release_table,
)
from tenant_experience.environment import setting, whole_number
from tenant_experience.log_redaction import redacted_json
from tenant_experience.release import approval, approval_email, brief
from tenant_experience.release.brief import Brief
from tenant_experience.release.cost import cost_sentences
from tenant_experience.release.partition_result import ShardResult
from tenant_experience.use_case.words import Words

logger = Logger(service="request_approval", json_serializer=redacted_json)


@client_errors.named
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Records the request, then sends one e-mail about it.

    Args:
        event: task_token, execution_arn, release, use_case, batch, as_of, shards (the output of TrainModels). An
            execution that was started by an earlier version of the state machine sends no batch.
    """
    release = event["release"]
    notifications.require_subscriber()
    outcomes = objects.read_outcomes(setting("DATA_BUCKET"), event["shards"])
    quality = objects.read_json(setting("DATA_BUCKET"), data_layout.reports(release) + data_layout.DATA_QUALITY_FILE)
    words = Words.read(quality.get("words"))
    whole = _brief(release, outcomes, quality["warnings"], words)
    now = int(time.time())
    live = release_table.read_live(event["use_case"])
    batch = data_layout.raw_batch(event["use_case"], event["batch"]) if "batch" in event else ""
    request = approvals.open_approval(
        approval.Approval(
            approval_id=release,
            execution_arn=event["execution_arn"],
            expires_at=now + whole_number("APPROVAL_TIMEOUT_SECONDS"),
            status="pending",
            summary=approval.summarise(
                release,
                event["use_case"],
                event["as_of"],
                outcomes,
                live.release if live else None,
                quality["warnings"],
                batch,
                words,
                whole.short(),
            ),
        ),
        event["task_token"],
        now=now,
    )
    if request.status != "pending":  # decided before the execution was redriven: the decision stands
        executions.answer(event["task_token"], request.decision)
        approvals.mark_delivered(release)
        return {"approval_id": release, "mailed": False}
    if (
        not request.mailed
    ):  # recorded after sending: a function that fails in between sends a second copy rather than none
        link = f"{setting('API_URL')}/approvals/{release}?signature={link_signature.sign(request.signed_text)}"
        notifications.send(*approval_email.write(request, link))
        approvals.mark_mailed(release)
    logger.info("decision requested", extra={"release": release, "mailed": not request.mailed})
    return {"approval_id": release, "mailed": not request.mailed}


def _brief(release: str, outcomes: Sequence[ShardResult], warnings: Sequence[str], words: Words) -> Brief:
    """The brief of the whole release, which is written beside those of its shards."""
    bucket = setting("DATA_BUCKET")
    found = [
        objects.find_json(bucket, data_layout.reports(release, outcome.shard) + data_layout.BRIEF_FILE)
        for outcome in outcomes
        if outcome.ready
    ]
    cost = cost_sentences(setting("ENDPOINT_INSTANCE_TYPE"), whole_number("ENDPOINT_INSTANCE_COUNT"), {})
    whole = brief.merge([each for each in found if each is not None], warnings, cost, words)
    objects.write_json(bucket, data_layout.reports(release) + data_layout.BRIEF_FILE, whole.document())
    return whole

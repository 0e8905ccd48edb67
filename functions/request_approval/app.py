"""RequestApproval: asks the approvers, each by an e-mail of their own, whether this release may go live.

The execution waits for the answer. An operator withdraws a request through this function too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from tenant_experience import data_layout
from tenant_experience.aws import (
    approval_mail,
    approvals,
    approvers,
    client_errors,
    decisions,
    objects,
    release_table,
    run_history,
    stage_notices,
    take_backs,
)
from tenant_experience.environment import setting, whole_number
from tenant_experience.errors import UserError
from tenant_experience.log_redaction import redacted_json
from tenant_experience.release import approval, approver, automatic, brief, stage_email
from tenant_experience.release.approval import Approval, Asked
from tenant_experience.release.brief import Brief
from tenant_experience.release.cost import cost_sentences
from tenant_experience.release.partition_result import ShardResult
from tenant_experience.release.release import iso_time
from tenant_experience.use_case.approval_rules import read_approval_rules
from tenant_experience.use_case.words import Words

logger = Logger(service="request_approval", json_serializer=redacted_json)


@client_errors.named
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Records the request, then sends an e-mail to each approver.

    Args:
        event: task_token, execution_arn, release, use_case, batch, as_of, started_at (the execution's), requested_by
            and shards (the output of TrainModels). An execution of an earlier state machine sends no started_at and no
            requested_by. Of a roll-back: take_back (see ``take_backs.Wish``), task_token, execution_arn, release (the
            run's id), use_case and started_at. Or, of an operator: withdraw (a release), by and reason.
    """
    if "withdraw" in event:
        return _withdraw(event)
    release, now = event["release"], int(time.time())
    wish = take_backs.Wish.read(event["take_back"]) if "take_back" in event else None
    wanted = _request(event, now) if wish is None else take_backs.request(wish, event, now)
    request = approvals.open_approval(wanted, event["task_token"], now=now)
    if request.status == "pending" and wish is not None:
        request = take_backs.first_vote(request, wish, now)
    if request.status == "pending":
        request = decisions.supersede_older(request, iso_time(now))
    if request.status == "pending":
        request = decisions.approve_by_rules(request, iso_time(now))
    # Superseded; approved by the rules; or decided before the execution was redriven, and then the decision stands.
    if request.status != "pending":
        decisions.deliver(release)
        return {"approval_id": release, "mailed": 0}
    waiting = [each for each in request.asked if not each.mailed and request.vote_of(each.address) is None]
    mailed = _ask_those(request, waiting)
    if mailed and mailed == len(request.asked):  # not when an earlier attempt has asked some
        stage_notices.tell(release, partial(stage_email.waiting, request))
    logger.info("decision requested", extra={"release": release, "mailed": mailed})
    return {"approval_id": release, "mailed": mailed}


def _request(event: dict[str, Any], now: int) -> Approval:
    release, requested_by = event["release"], event.get("requested_by", "")
    rules = read_approval_rules(
        objects.read_bytes(setting("DATA_BUCKET"), data_layout.use_case_snapshot(release) + "use_case.yaml")
    )
    outcomes = objects.read_outcomes(setting("DATA_BUCKET"), event["shards"])
    quality = objects.read_json(setting("DATA_BUCKET"), data_layout.reports(release) + data_layout.DATA_QUALITY_FILE)
    words = Words.read(quality.get("words"))
    whole = _brief(release, outcomes, quality["warnings"], words, _instance_seconds(event["execution_arn"]))
    live = release_table.read_live(event["use_case"])
    against = automatic.hindrances(outcomes, whole, live) if rules.mode == "automatic" else ()
    asked = approver.who_may_decide(approvers.confirmed(), rules, requested_by)
    return Approval(
        approval_id=release,
        execution_arn=event["execution_arn"],
        expires_at=now + rules.expires_in(whole_number("APPROVAL_TIMEOUT_SECONDS")),
        status="pending",
        requested_at=iso_time(now),
        started_at=event.get("started_at", ""),
        requested_by=requested_by,
        rules=rules,
        partitions=approval.partitions_to_decide(outcomes),
        digests=approval.digests_to_decide(outcomes),
        asked=tuple(Asked(each.address) for each in asked),
        summary=approval.summarise(
            release,
            event["use_case"],
            event["as_of"],
            outcomes,
            live.release if live else None,
            quality["warnings"],
            data_layout.raw_batch(event["use_case"], event["batch"]) if "batch" in event else "",
            words,
            whole.short(),
            automatic=automatic.reason(whole) if rules.mode == "automatic" and not against else "",
            not_automatic=against,
        ),
    )


def _brief(
    release: str,
    outcomes: Sequence[ShardResult],
    warnings: Sequence[str],
    words: Words,
    instance_seconds: Mapping[str, float],
) -> Brief:
    """The brief of the whole release, which is written beside those of its shards."""
    bucket = setting("DATA_BUCKET")
    found = [
        objects.find_json(bucket, data_layout.reports(release, outcome.shard) + data_layout.BRIEF_FILE)
        for outcome in outcomes
        if outcome.ready
    ]
    cost = cost_sentences(setting("ENDPOINT_INSTANCE_TYPE"), whole_number("ENDPOINT_INSTANCE_COUNT"), instance_seconds)
    whole = brief.merge([each for each in found if each is not None], warnings, cost, words)
    objects.write_json(bucket, data_layout.reports(release) + data_layout.BRIEF_FILE, whole.document())
    return whole


def _instance_seconds(execution_arn: str) -> Mapping[str, float]:
    """What the jobs of this release have used until now; nobody is asked later because it cannot be read."""
    try:
        return run_history.jobs(execution_arn).instance_seconds
    except ClientError as error:
        logger.warning("cost unknown", extra={"error": error.response["Error"]["Code"]})
        return {}


def _ask_those(request: Approval, waiting: list[Asked]) -> int:
    """Sends the links; how many. The follow-up sends those that cannot be sent now, unless none can.

    Raises:
        ClientError: not one could be sent.
    """
    refusals = []
    for each in waiting:
        try:
            approval_mail.ask(request, each, iso_time(time.time()))
        except ClientError as error:
            refusals.append(error)
    if refusals and len(refusals) == len(request.asked):
        raise refusals[0]
    if refusals:
        logger.warning("links to be sent later", extra={"release": request.approval_id, "links": len(refusals)})
    return len(waiting) - len(refusals)


def _withdraw(event: dict[str, Any]) -> dict[str, Any]:
    """The caller waits for the answer, so a refusal is returned."""
    try:
        ended = decisions.withdraw(event["withdraw"], event["by"], event["reason"], iso_time(time.time()))
    except UserError as refusal:
        return {"withdrawn": False, "code": refusal.code, "message": refusal.message}
    return {"withdrawn": True, "delivered": ended.delivered}

"""NotifyOutcome: tells everyone who was asked what became of a release, each of them once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from tenant_experience.aws import (
    client_errors,
    decision_records,
    link_signature,
    notifications,
    release_table,
    sent_notices,
)
from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError
from tenant_experience.log_redaction import redacted_json
from tenant_experience.release import outcome_email
from tenant_experience.release.decision_record import DecisionRecord
from tenant_experience.release.outcome_email import Outcome

logger = Logger(service="notify_outcome", json_serializer=redacted_json)


@client_errors.named
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Sends an e-mail to each approver who was asked, and one to the operators when somebody else reads those.

    One address that cannot be reached does not keep the others from being told.

    Args:
        event: release, use_case, batch, as_of, status, approver, reason, decided_at, models, previous. Of a batch for
            which nothing was trained: release, status (``served``), subject and text.

    Raises:
        ClientError: SNS or DynamoDB refuses; the state machine tries again, and nobody is told twice.
        PlatformError: ``being_sent`` while another attempt sends.
    """
    release = event["release"]
    if event["status"] == "served":
        return {"release": release, "sent": _tell_served(event)}
    record = decision_records.find(release)
    live = release_table.read_live(event["use_case"])
    outcome = Outcome.read(
        event,
        live=live.release if live else "",
        not_approved=record.rejected if record else {},
        route=_route(event["use_case"]),
    )
    sent, errors = 0, []
    for name, send in _notices(outcome, record):
        try:
            sent += sent_notices.send_once(
                f"{release}#{outcome.status}#{record.expires_at if record else 0}#{name}", send
            )
        except (ClientError, BotoCoreError, PlatformError) as error:
            errors.append(error)
    logger.info("outcome told", extra={"release": release, "status": outcome.status, "sent": sent})
    if errors:
        raise errors[0]
    return {"release": release, "sent": sent}


def _notices(outcome: Outcome, record: DecisionRecord | None) -> list[tuple[str, Callable[[], None]]]:
    """Who is to be told, and how."""
    asked = record.asked if record else ()
    run_page = link_signature.link_to_run(outcome.release)
    notices: list[tuple[str, Callable[[], None]]] = []
    for each in asked:
        take_back = ""
        if outcome.status == "released" and record is not None and record.kind == "release":
            take_back = link_signature.link_to_take_back(
                record.approval_id,
                record.execution_arn,
                record.expires_at,
                address=each.address,
                approver_id=each.approver_id,
            )
        written = outcome_email.write(outcome, run_page, take_back)
        notices.append((each.approver_id, partial(notifications.send_to, each.address, *written)))
    if notifications.others_subscribe({each.address for each in asked}):
        written = outcome_email.write(outcome, run_page)
        notices.append(("operators", partial(notifications.send, *written)))
    return notices


def _tell_served(event: dict[str, Any]) -> int:
    """Nobody was asked, so the operators are told what the state machine has written; 0 when they were before."""
    text = outcome_email.with_run_page(event["text"], link_signature.link_to_run(event["release"]))
    send = partial(notifications.send, event["subject"], text)
    return int(sent_notices.send_once(f"{event['release']}#served#operators", send))


def _route(use_case: str) -> str:
    if use_case == setting("USE_CASE"):
        return f"{setting('API_URL')}/tenants/{{tenant_id}}/prediction"
    return f"{setting('API_URL')}/use-cases/{use_case}/records/{{record_id}}/prediction"

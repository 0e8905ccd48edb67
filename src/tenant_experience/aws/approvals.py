"""Requests for a decision, in the table of releases.

Every change is one conditional write on the revision that was read, together with its rows of the audit; when somebody
else was first, the request is read again and the rule asked again. So no decision is made twice, and none without its
row.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from tenant_experience.aws import audit
from tenant_experience.aws.release_table import dynamodb, key_of, update_if
from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError, UserError
from tenant_experience.release.approval import Approval, ApprovalSummary, Asked
from tenant_experience.release.vote import Outcome, Vote
from tenant_experience.use_case.approval_rules import ApprovalRules

BY_USE_CASE = "by_use_case"
_ATTEMPTS = 12
# Longer than the call to Step Functions takes with all its retries.
_DELIVERY_SECONDS = 60
_CONFLICTS = {"ConditionalCheckFailed", "TransactionConflict"}
# Attributes of a request that is asked anew which tell of the earlier one.
_OF_THE_PAST = (
    *("votes", "outcome", "superseded_by", "decided_at", "delivered", "reminded", "outcome_mailed"),
    *("approver", "reason", "mailed", "delivering"),
)
Rows = Callable[[Approval], Sequence[audit.Row]]


def open_approval(approval: Approval, task_token: str, *, now: int) -> Approval:
    """Writes a request for a decision. An existing request gets the task token that waits now.

    Returns:
        The approval as stored. A pending one keeps its expiry, the approvers that were asked and their votes, so that
        the links sent before stay valid. One that has expired, or ended without an answer that the execution could
        still take, is requested anew. A decided one keeps its decision.
    """
    for _ in range(_ATTEMPTS):
        item = _item(approval.approval_id)
        stored = None if item is None else _approval(item)
        names: tuple[str, ...]
        if stored is None or _asks_anew(stored, approval, now):
            wanted = replace(approval, revision=(stored.revision if stored else 0) + 1)
            names = _OF_THE_PAST
        elif stored.status == "pending":
            wanted, names = replace(stored, revision=stored.revision + 1, summary=approval.summary), ()
        else:
            wanted, names = replace(stored, revision=stored.revision + 1, delivered=False), ("delivered", "delivering")
        if update_if(**_update(wanted, stored, task_token=task_token, removed=names)):
            return wanted
        _pause()
    raise _too_busy(approval.approval_id)


def _asks_anew(stored: Approval, wanted: Approval, now: int) -> bool:
    if stored.status in ("approved", "rejected"):
        return False
    if stored.status == "pending" and now < stored.expires_at and stored.asked:
        return stored.execution_arn != wanted.execution_arn or stored.partitions != wanted.partitions
    return True


def change(approval_id: str, rule: Callable[[Approval], Approval], rows: Rows = lambda _changed: ()) -> Approval:
    """Changes a request by a rule.

    Args:
        approval_id: which.
        rule: gives the request as it should be; it may be asked several times. The same request changes nothing.
        rows: of the audit, written with the change.

    Raises:
        UserError: what the rule raises, or ``unknown_approval``.
        PlatformError: ``approval_busy``.
    """
    for _ in range(_ATTEMPTS):
        stored, _token = read_approval(approval_id)
        wanted = rule(stored)
        if wanted == stored:
            return stored
        wanted = replace(wanted, revision=stored.revision + 1)
        writes: list[Any] = [{"Update": _update(wanted, stored)}, *[{"Put": row} for row in rows(wanted)]]
        try:
            dynamodb().transact_write_items(TransactItems=writes)
        except ClientError as error:
            if not _is_conflict(error):
                raise
            _pause()
        else:
            return wanted
    raise _too_busy(approval_id)


def _is_conflict(error: ClientError) -> bool:
    """Whether another writer was first."""
    found = _reasons(error)
    return bool(found) and found <= _CONFLICTS


def _reasons(error: ClientError) -> set[str]:
    """Why a transaction was refused; nothing for other errors."""
    if error.response["Error"]["Code"] != "TransactionCanceledException":
        return set()
    given: Any = error.response.get("CancellationReasons", [])
    return {reason.get("Code") for reason in given} - {"None", None}


def _pause() -> None:
    time.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - only to keep writers apart


def _too_busy(approval_id: str) -> PlatformError:
    return PlatformError(f"request {approval_id} is being changed by others; try again", code="approval_busy")


def read_approval(approval_id: str) -> tuple[Approval, str]:
    """An approval and the task token that waits for it.

    Raises:
        UserError: ``unknown_approval``.
    """
    item = _item(approval_id)
    if item is None:
        raise UserError("this approval does not exist", code="unknown_approval")
    return _approval(item), item["task_token"]["S"]


def mark_mailed(approval: Approval, asked: Asked, when: str, rows: Sequence[audit.Row] = ()) -> None:
    """Records that an approver was sent their link, together with these rows of the audit."""
    _note_asked(approval, asked, "mailed", when, rows)


def mark_opened(approval: Approval, asked: Asked, when: str) -> bool:
    """Records that an approver opened the page; whether it was the first time."""
    return _note_asked(approval, asked, "opened", when)


def claim_delivery(approval: Approval, now: int) -> bool:
    """Whether the caller may pass this decision on. One at a time may, because a token is taken once.

    A caller that dies loses the claim by time.
    """
    is_free = "(attribute_not_exists(delivering) OR delivering < :now)"
    return _write_claim(approval, now + _DELIVERY_SECONDS, is_free, now)


def release_delivery(approval: Approval) -> None:
    """Gives the claim back, because the decision could not be passed on."""
    _write_claim(approval, 0, "delivering > :now", 0)


def _write_claim(approval: Approval, until: int, condition: str, now: int) -> bool:
    same, read = _as_read(approval)
    return update_if(
        Key=key_of("approval", approval.approval_id),
        UpdateExpression="SET delivering = :until",
        ConditionExpression=f"{same} AND attribute_not_exists(delivered) AND {condition}",
        ExpressionAttributeNames={"#revision": "revision"},
        ExpressionAttributeValues={**read, ":until": {"N": str(until)}, ":now": {"N": str(now)}},
    )


def _note_asked(approval: Approval, asked: Asked, attribute: str, when: str, rows: Sequence[audit.Row] = ()) -> bool:
    """Writes when something happened first to an approver of this very request."""
    place = f"asked[{[each.id for each in approval.asked].index(asked.id)}]"
    update: Any = {
        "TableName": setting("RELEASE_TABLE"),
        "Key": key_of("approval", approval.approval_id),
        "UpdateExpression": f"SET {place}.{attribute} = :when",
        "ConditionExpression": f"{place}.id = :id AND expires_at = :expires AND {place}.{attribute} = :never",
        "ExpressionAttributeValues": {
            ":when": {"S": when},
            ":id": {"S": asked.id},
            ":expires": {"N": str(approval.expires_at)},
            ":never": {"S": ""},
        },
    }
    writes: list[Any] = [{"Update": update}, *[{"Put": row} for row in rows]]
    for _ in range(_ATTEMPTS):
        try:
            dynamodb().transact_write_items(TransactItems=writes)
        except ClientError as error:
            if not _is_conflict(error):
                raise
            if "ConditionalCheckFailed" in _reasons(error):
                return False
            _pause()  # somebody else writes the request at this moment
        else:
            return True
    raise _too_busy(approval.approval_id)


def _item(approval_id: str) -> dict[str, Any] | None:
    answer = dynamodb().get_item(
        TableName=setting("RELEASE_TABLE"), Key=key_of("approval", approval_id), ConsistentRead=True
    )
    return answer.get("Item")


def _update(
    wanted: Approval, stored: Approval | None, *, task_token: str = "", removed: Sequence[str] = ()
) -> dict[str, Any]:
    """The conditional write that turns a stored request into the wanted one. ``asked`` stays where it is the same."""
    values = _content(wanted) | ({"task_token": task_token} if task_token else {})
    if stored is not None and stored.asked == wanted.asked:
        values.pop("asked")
    names = {f"#{name}": name for name in (*values, *removed, "revision")}
    sets = ", ".join(f"#{name} = :{name}" for name in values)
    gone = [name for name in removed if name not in values]
    written = {f":{name}": TypeSerializer().serialize(value) for name, value in values.items()}
    names = {key: name for key, name in names.items() if name in values or name in gone or name == "revision"}
    condition, read = _as_read(stored) if stored else ("attribute_not_exists(id)", {})
    return {
        "TableName": setting("RELEASE_TABLE"),
        "Key": key_of("approval", wanted.approval_id),
        "UpdateExpression": f"SET {sets}" + (f" REMOVE {', '.join(f'#{name}' for name in gone)}" if gone else ""),
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": written | read,
    }


def _as_read(stored: Approval) -> tuple[str, dict[str, Any]]:
    """The condition that nobody has changed a request since it was read, and its values."""
    if stored.revision == 0:  # written by an earlier version
        return "attribute_exists(id) AND attribute_not_exists(#revision)", {}
    return "#revision = :read", {":read": {"N": str(stored.revision)}}


def _content(approval: Approval) -> dict[str, Any]:
    """The attributes of a request, without the empty ones."""
    values = {
        "kind": approval.kind,
        "use_case": approval.use_case,
        "requested_at": approval.requested_at,
        "started_at": approval.started_at,
        "requested_by": approval.requested_by,
        "execution_arn": approval.execution_arn,
        "expires_at": approval.expires_at,
        "status": approval.status,
        "summary": json.dumps(approval.summary.as_document()),
        "rules": json.dumps(approval.rules.document()),
        "partitions": json.dumps(approval.partitions),
        "digests": json.dumps(approval.digests) if approval.digests else None,
        "revision": approval.revision,
        "asked": [
            {"address": each.address, "id": each.id, "mailed": each.mailed, "opened": each.opened}
            for each in approval.asked
        ],
        "votes": {vote.id: vote.document() for vote in approval.votes} or None,
        "outcome": json.dumps(approval.outcome.document()) if approval.outcome else None,
        "superseded_by": approval.superseded_by,
        "delivered": approval.delivered or None,
        "approver": approval.approver,
        "reason": approval.reason,
        "decided_at": approval.decided_at,
    }
    return {name: value for name, value in values.items() if value not in ("", None)}


def _approval(item: Mapping[str, Any]) -> Approval:
    """A stored request; those of earlier versions have no partitions, nobody asked by name, and no votes."""
    read = TypeDeserializer().deserialize
    given = {name: read(value) for name, value in item.items()}
    texts = ("kind", "requested_at", "started_at", "requested_by", "superseded_by", "approver", "reason", "decided_at")
    votes = [Vote.read(vote) for vote in given.get("votes", {}).values()]
    return Approval(
        approval_id=given["id"].removeprefix("approval#"),
        execution_arn=given["execution_arn"],
        expires_at=int(given["expires_at"]),
        status=given["status"],
        summary=ApprovalSummary.read(json.loads(given["summary"])),
        rules=ApprovalRules(**json.loads(given.get("rules", "{}"))),
        partitions=json.loads(given.get("partitions", "{}")),
        digests=json.loads(given.get("digests", "{}")),
        revision=int(given.get("revision", 0)),
        asked=tuple(Asked(each["address"], each["mailed"], each["opened"]) for each in given.get("asked", ())),
        votes=tuple(sorted(votes, key=lambda vote: (vote.decided_at, vote.id))),
        outcome=Outcome.read(json.loads(given["outcome"])) if "outcome" in given else None,
        delivered="delivered" in given,
        **{name: given[name] for name in texts if name in given},
    )

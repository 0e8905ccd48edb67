"""Reading requests for a decision without their task token: for pages and e-mails that cannot decide."""

from __future__ import annotations

from boto3.dynamodb.types import TypeDeserializer

from tenant_experience.aws.release_table import dynamodb, key_of
from tenant_experience.environment import setting
from tenant_experience.release import decision_record
from tenant_experience.release.decision_record import DecisionRecord

_plain = TypeDeserializer().deserialize


def find(approval_id: str) -> DecisionRecord | None:
    """The request of a release or of a roll-back; None before anybody is asked."""
    names = {f"#{number}": name for number, name in enumerate(decision_record.ATTRIBUTES)}
    item = (
        dynamodb()
        .get_item(
            TableName=setting("RELEASE_TABLE"),
            Key=key_of("approval", approval_id),
            ProjectionExpression=", ".join(names),
            ExpressionAttributeNames=names,
            ConsistentRead=True,
        )
        .get("Item")
    )
    return decision_record.read({name: _plain(value) for name, value in item.items()}) if item else None

"""The policies of DynamoDB's tables decide who may do what, as on AWS. MiniStack keeps them and asks none."""

from __future__ import annotations

from ministack.core import iam_evaluator
from ministack.services import dynamodb


def install() -> None:
    """Let the evaluator of policies find those of tables."""
    dynamodb.table_policy_for_arn = _policy
    iam_evaluator._RESOURCE_POLICY_LOOKUPS["dynamodb"] = ("dynamodb", "table_policy_for_arn")


def _policy(arn: str) -> tuple[str, str] | None:
    """The policy that covers a table or one of its indexes, and the account that owns the table."""
    table, _, below = arn.partition("/index/")
    kept = None if "/stream/" in below or "/stream/" in table else dynamodb._resource_policies.get(table)
    return (kept["Policy"], table.split(":")[4]) if kept else None

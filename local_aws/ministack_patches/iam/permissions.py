"""Checks the calls that AWS services make for somebody: a state machine, a rule, an API.

MiniStack authorises signed requests only, and not the calls between its services. These are checked here, with the same
evaluator. Every decision, including MiniStack's own, goes into ``action_log``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ministack.core import iam_evaluator, responses
from ministack.services import iam, sts

from local_aws.ministack_patches.iam.action_log import LOG

_enforce = iam_evaluator.enforce


def install() -> None:
    """Log what MiniStack decides."""
    iam_evaluator.enforce = _enforce_and_note


@dataclass(frozen=True)
class Session:
    """A role that a service has assumed.

    Attributes:
        role_arn: e.g. ``arn:aws:iam::000000000000:role/machine``.
        name: the session's, shown in the caller's ARN.
    """

    role_arn: str
    name: str

    @property
    def role_name(self) -> str:
        """The role's name without its path."""
        return self.role_arn.rpartition("/")[2]

    @property
    def arn(self) -> str:
        """The caller as AWS writes it."""
        return f"arn:aws:sts::{self.role_arn.split(':')[4]}:assumed-role/{self.role_name}/{self.name}"


@dataclass(frozen=True)
class Action:
    """One thing to check: an action, its resource, and its condition keys."""

    name: str
    resource: str
    conditions: dict[str, Any] = field(default_factory=dict)


def is_allowed(session: Session, action: Action) -> bool:
    """Whether the role's policies and the resource's policy allow it."""
    account = session.role_arn.split(":")[4]
    service = action.name.partition(":")[0].lower()
    context = _context(session.arn, "AssumedRole", account, action)
    policies = iam_evaluator._gather_role_policies(session.role_name, account)
    limits = iam_evaluator._permissions_boundary(iam._roles, session.role_name, account)
    result = iam_evaluator.evaluate(context, policies, *limits)
    own_policy = iam_evaluator._resource_policy(service, action.resource)
    if own_policy is not None:
        result = iam_evaluator.combine_resource_policy(
            result, context, *own_policy, required=service in iam_evaluator._POLICY_REQUIRED, limits=limits
        )
    allowed: bool = result.decision == "Allow"
    LOG.add(session.role_name, action.name, action.resource, allowed=allowed)
    return allowed


def refusal(session: Session, action: Action) -> str | None:
    """AWS's sentence about an action that is not allowed; None when it is allowed."""
    if is_allowed(session, action):
        return None
    # S3 puts the resource into quotes.
    resource = f'"{action.resource}"' if action.name.startswith("s3:") else action.resource
    return (
        f"User: {session.arn} is not authorized to perform: {action.name} on resource: {resource} "
        f"because no identity-based policy allows the {action.name} action"
    )


def may_service(service: str, action: Action, policy: Any, source_arn: str) -> bool:
    """Whether a resource's policy lets a service act on it on behalf of ``source_arn``.

    Args:
        service: e.g. ``events.amazonaws.com``.
        action: on the resource.
        policy: the resource's own.
        source_arn: the rule, the method of an API, ...
    """
    keys = {"aws:sourcearn": source_arn, "aws:sourceaccount": responses.get_account_id()}
    context = _context("", "Service", "", Action(action.name, action.resource, {**action.conditions, **keys}))
    result = iam_evaluator.evaluate_resource_policy(policy, context, service=service)
    allowed: bool = result.decision == "Allow"
    LOG.add(service, action.name, action.resource, allowed=allowed)
    return allowed


def roles() -> dict[str, list[dict[str, Any]]]:
    """Every role's inline and attached policies: ``{role: [{"name": ..., "document": ...}]}``."""
    account = responses.get_account_id()
    found: dict[str, list[dict[str, Any]]] = {}
    for name, role in iam._roles.items():
        documents = dict(role.get("InlinePolicies") or {})
        for arn in role.get("AttachedPolicies", []):
            documents[arn] = iam_evaluator._resolve_managed_policy_document(arn, account) or {}
        found[name] = [{"name": policy, "document": document} for policy, document in documents.items()]
    return found


def _context(principal: str, kind: str, account: str, action: Action) -> Any:
    keys = {name.lower(): value for name, value in action.conditions.items()}
    keys.setdefault("aws:tagkeys", None)
    return iam_evaluator.EvalContext(
        principal_arn=principal,
        principal_type=kind,
        principal_account=account,
        action=action.name,
        resource_arn=action.resource,
        region=responses.get_region(),
        secure_transport=True,
        service_context=keys,
    )


def _enforce_and_note(
    access_key_id: str,
    iam_action: str,
    service: str,
    region: str,
    resource_arn: str = "*",
    service_context: dict[str, Any] | None = None,
) -> Any:
    outcome = _enforce(access_key_id, iam_action, service, region, resource_arn, service_context)
    session = sts._sessions.get(access_key_id)
    if session is not None and not isinstance(outcome, iam_evaluator.AuthError):
        role = session["Arn"].partition(":assumed-role/")[2].partition("/")[0]
        if role:
            LOG.add(role, iam_action, resource_arn, allowed=outcome is None)
    return outcome

"""Filter policies are checked as SNS checks them. MiniStack takes any text, and delivers everything by a wrong one.

Source: https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
"""

from __future__ import annotations

import json
from math import prod
from typing import Any

_MAX_KEYS = 5
_MAX_COMBINATIONS = 150
_MAX_BYTES = 256 * 1024
_OPERATORS = {
    "anything-but": (list, str, int, float, dict),
    "cidr": (str,),
    "equals-ignore-case": (str,),
    "exists": (bool,),
    "numeric": (list,),
    "prefix": (str,),
    "suffix": (str,),
    "wildcard": (str,),
}


def fault(policy: object, scope: str) -> str | None:
    """What is wrong with a filter policy, in SNS's words; None when nothing is.

    Args:
        policy: a JSON text, or the object that a template holds.
        scope: ``MessageAttributes`` or ``MessageBody``.
    """
    text = policy if isinstance(policy, str) else json.dumps(policy)
    if not text:
        return None
    if scope not in ("", "MessageAttributes", "MessageBody"):
        return f"FilterPolicyScope: Invalid value [{scope}]. Please use either MessageBody or MessageAttributes"
    try:
        document = json.loads(text)
    except ValueError:
        return "FilterPolicy: failed to parse JSON"
    if not isinstance(document, dict):
        return "FilterPolicy: Filter policy must be an object"
    if len(text.encode()) > _MAX_BYTES:
        return "FilterPolicy: Filter policy is too large"
    found = _fault_of(document, is_nested=scope == "MessageBody")
    if found is not None:
        return f"FilterPolicy: {found}"
    leaves = _leaves(document)
    if len(leaves) > _MAX_KEYS:
        return f"FilterPolicy: Filter policy can not have more than {_MAX_KEYS} keys"
    if prod(len(values) for values in leaves) > _MAX_COMBINATIONS:
        return "FilterPolicy: Filter policy is too complex"
    return None


def _fault_of(policy: dict[str, Any], *, is_nested: bool) -> str | None:
    for name, values in policy.items():
        if isinstance(values, dict) and is_nested:
            found = _fault_of(values, is_nested=True) if values else f'"{name}" must not be empty'
        elif not isinstance(values, list):
            found = f'"{name}" must be an object or an array' if is_nested else f'"{name}" must be an array'
        elif not values:
            found = f'Empty arrays are not allowed ("{name}")'
        elif name == "$or":
            members = [each for each in values if isinstance(each, dict)]
            found = next(filter(None, (_fault_of(each, is_nested=is_nested) for each in members)), None)
        else:
            found = next(filter(None, map(_rule_fault, values)), None)
        if found is not None:
            return found
    return None


def _rule_fault(rule: object) -> str | None:
    if rule is None or isinstance(rule, (str, bool, int, float)):
        return None
    if not isinstance(rule, dict) or len(rule) != 1:
        return "Match value must be String, number, true, false, or null, or an object with one operator"
    ((operator, value),) = rule.items()
    if operator not in _OPERATORS:
        return f"Unrecognized match type {operator}"
    if not isinstance(value, _OPERATORS[operator]) or isinstance(value, bool) != (operator == "exists"):
        return f"Value of {operator} must be of another type"
    return "Value of an array must not be empty" if value in ([], {}) else None


def _leaves(policy: dict[str, Any]) -> list[list[Any]]:
    found = []
    for name, values in policy.items():
        if isinstance(values, dict):
            found += _leaves(values)
        elif name == "$or":
            found += [leaf for member in values if isinstance(member, dict) for leaf in _leaves(member)]
        else:
            found.append(values)
    return found

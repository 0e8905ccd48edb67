"""How an endpoint is updated: what a DeploymentConfig may say, and what then happens.

Sources: https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html and the pages below it,
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-exclusions.html
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local_aws.sagemaker.core.errors import not_emulated, validation_error
from local_aws.sagemaker.core.validation import refuse_others

_POLICIES = frozenset({"BlueGreenUpdatePolicy", "AutoRollbackConfiguration"})
_SIZE = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}
_MOST_PERCENT, _LEAST_LINEAR_PERCENT = 50, 10


@dataclass(frozen=True)
class Deployment:
    """The plan of one update.

    Attributes:
        shares: the green fleet's share of the traffic in each step; the last one is 1.
        bake: how long each step is watched, in seconds.
        termination: how long the blue fleet stays after the update.
        limit: how long the update may take.
        alarms: the names of the alarms that roll it back.
    """

    shares: tuple[float, ...] = (1.0,)
    bake: float = 0.0
    termination: float = 0.0
    limit: float = 28_800.0
    alarms: tuple[str, ...] = ()


@dataclass
class GreenFleet:
    """Takes its share of the requests while it is watched."""

    share: float
    _asked: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def takes_next(self) -> bool:
        """Whether the next request is the green fleet's."""
        with self._lock:
            before, self._asked = int(self._asked * self.share), self._asked + 1
            return int(self._asked * self.share) > before


def plan(request: Mapping[str, Any], *, instances: int, scale: float) -> Deployment:
    """What an UpdateEndpoint asks for.

    Args:
        request: UpdateEndpoint's.
        instances: how many instances the new fleet has.
        scale: the fraction of a pause that passes here.

    Raises:
        ServiceError: ValidationException, or UnsupportedOperation.
    """
    config = request.get("DeploymentConfig")
    if request.get("RetainDeploymentConfig"):
        raise not_emulated("UpdateEndpoint", "RetainDeploymentConfig")
    if config is None:
        return Deployment()
    refuse_others("UpdateEndpoint", config, _POLICIES, "DeploymentConfig.")
    policy = config.get("BlueGreenUpdatePolicy", {})
    routing = policy.get("TrafficRoutingConfiguration", {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0})
    shares = _shares(routing, instances)
    wait, termination = routing["WaitIntervalInSeconds"], policy.get("TerminationWaitInSeconds", 0)
    limit = policy.get("MaximumExecutionTimeoutInSeconds", Deployment.limit)
    if limit <= wait * len(shares) + termination:
        raise validation_error(
            f"MaximumExecutionTimeoutInSeconds {limit} must be larger than the total waiting time of "
            f"WaitIntervalInSeconds and TerminationWaitInSeconds, {wait * len(shares) + termination}."
        )
    alarms = config.get("AutoRollbackConfiguration", {}).get("Alarms", [])
    names = tuple(alarm["AlarmName"] for alarm in alarms if "AlarmName" in alarm)
    return Deployment(shares, wait * scale, termination * scale, limit, names)


def _shares(routing: Mapping[str, Any], instances: int) -> tuple[float, ...]:
    kind = routing["Type"]
    for other, member in _SIZE.items():
        if (member in routing) != (other == kind):
            verb = "must have" if other == kind else "must not have"
            raise validation_error(f"TrafficRoutingConfiguration of Type {kind} {verb} {member}.")
    if kind == "ALL_AT_ONCE":
        return (1.0,)
    member = _SIZE[kind]
    size = routing[member]
    percent = size["Value"] if size["Type"] == "CAPACITY_PERCENT" else 100 * size["Value"] / instances
    least = _LEAST_LINEAR_PERCENT if kind == "LINEAR" else 0
    if not least <= percent <= _MOST_PERCENT:
        raise validation_error(
            f"{member} {size['Value']} ({size['Type']}) is {percent:g}% of {instances} instance(s); it must be "
            f"{f'{least}-{_MOST_PERCENT}%' if least else f'at most {_MOST_PERCENT}%'} of the variant's total."
        )
    if kind == "CANARY":
        return (percent / 100, 1.0)
    steps = [step * percent / 100 for step in range(1, int(100 // percent) + 1)]
    return (*(step for step in steps if step < 1.0), 1.0)


def retained(
    request: Mapping[str, Any], variant: Mapping[str, Any], before: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The new variant with those properties of the old one that UpdateEndpoint retains.

    Args:
        request: UpdateEndpoint's.
        variant: of the new configuration.
        before: the summary of the variant that answers now.
    """
    if before is None or not request.get("RetainAllVariantProperties"):
        return dict(variant)
    excluded = {each["VariantPropertyType"] for each in request.get("ExcludeRetainedVariantProperties", [])}
    kept = {"DesiredInstanceCount": "InitialInstanceCount", "DesiredWeight": "InitialVariantWeight"}
    return {**variant, **{name: before[kind] for kind, name in kept.items() if kind not in excluded}}

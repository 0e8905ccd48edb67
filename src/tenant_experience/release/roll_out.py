"""How a new image takes the place of the one that answers: step by step, watched by alarms, and taken back by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import (
        AlarmTypeDef,
        BlueGreenUpdatePolicyTypeDef,
        DeploymentConfigTypeDef,
        VariantPropertyTypeDef,
    )

_PROVISIONING_S = 1800  # for the new instances, and for their containers to be healthy
_TERMINATION_S = 120  # the old instances finish their requests


@dataclass(frozen=True)
class RollOut:
    """What is watched, and for how long.

    Attributes:
        alarms: the names of the alarms that take the image back.
        baking_seconds: how long the new instances are watched, after the canary and after the rest.
    """

    alarms: Sequence[str]
    baking_seconds: int

    def longest(self, instances: int) -> int:
        """How many seconds an update may take before SageMaker takes it back; a canary bakes twice."""
        return _PROVISIONING_S + self.baking_seconds * (1 if instances == 1 else 2) + _TERMINATION_S

    def deployment_config(self, instances: int) -> DeploymentConfigTypeDef:
        """UpdateEndpoint's ``DeploymentConfig``.

        One instance changes all at once. From two on, one of them is the canary: SageMaker allows a canary of at most
        half of the instances.
        """
        policy: BlueGreenUpdatePolicyTypeDef = {
            "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": self.baking_seconds},
            "TerminationWaitInSeconds": _TERMINATION_S,
            "MaximumExecutionTimeoutInSeconds": self.longest(instances),
        }
        if instances > 1:
            policy["TrafficRoutingConfiguration"] = {
                "Type": "CANARY",
                "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
                "WaitIntervalInSeconds": self.baking_seconds,
            }
        if not self.alarms:  # SageMaker refuses an empty list
            return {"BlueGreenUpdatePolicy": policy}
        watched: list[AlarmTypeDef] = [{"AlarmName": name} for name in self.alarms]
        return {"BlueGreenUpdatePolicy": policy, "AutoRollbackConfiguration": {"Alarms": watched}}


def overridden_properties(before: int | None, now: int) -> Sequence[VariantPropertyTypeDef]:
    """Which properties of the variant the new configuration sets, although the others are retained.

    The number of instances is retained, so that automatic scaling keeps what it has set; but not when the stack's
    parameter has changed.

    Args:
        before: the number in the configuration that answers now; None when that is not known.
        now: the number in the new configuration.
    """
    return [] if before == now else [{"VariantPropertyType": "DesiredInstanceCount"}]

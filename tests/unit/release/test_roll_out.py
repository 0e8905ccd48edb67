"""An update of the endpoint keeps to SageMaker's bounds, and the state machine waits for the longest one."""

from __future__ import annotations

import json
import re

import pytest

from tenant_experience.release.roll_out import RollOut, overridden_properties
from tests.support.places import ROOT

ROLL_OUT = RollOut(("errors", "latency"), 300)
# Of the template: the bounds of EndpointBakingSeconds and of EndpointInstanceCount.
BAKING, INSTANCES = (60, 900), (1, 20)
_CANDIDATE_S = _ROLL_BACK_S = 900  # until an endpoint beside it answers; until the earlier instances have all requests


def test_one_instance_changes_all_at_once_and_alarms_take_it_back() -> None:
    config = ROLL_OUT.deployment_config(1)
    routing = config["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert routing == {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 300}
    assert config["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": "errors"}, {"AlarmName": "latency"}]}


def test_from_two_instances_on_one_of_them_is_the_canary() -> None:
    routing = ROLL_OUT.deployment_config(2)["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert routing == {
        "Type": "CANARY",
        "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
        "WaitIntervalInSeconds": 300,
    }


@pytest.mark.parametrize("instances", INSTANCES)
@pytest.mark.parametrize("seconds", BAKING)
def test_an_update_keeps_to_the_bounds_of_sagemaker(seconds: int, instances: int) -> None:
    policy = RollOut(("a",), seconds).deployment_config(instances)["BlueGreenUpdatePolicy"]
    waits = seconds * (1 if instances == 1 else 2) + policy["TerminationWaitInSeconds"]
    assert 600 <= policy["MaximumExecutionTimeoutInSeconds"] <= 28_800
    assert policy["MaximumExecutionTimeoutInSeconds"] >= waits + 1_200
    assert 0 <= policy["TerminationWaitInSeconds"] <= 3_600


def test_the_state_machine_waits_for_the_longest_update_and_its_roll_back() -> None:
    machine = json.loads((ROOT / "statemachine" / "train_and_release.asl.json").read_text())
    retry = machine["States"]["DeployEndpoint"]["Retry"][0]
    assert retry["ErrorEquals"] == ["EndpointNotReadyError"]
    pauses = [
        min(retry["IntervalSeconds"] * retry["BackoffRate"] ** number, retry["MaxDelaySeconds"])
        for number in range(retry["MaxAttempts"])
    ]
    longest = RollOut(("a",), BAKING[1]).longest(INSTANCES[1])
    assert sum(pauses) >= _CANDIDATE_S + longest + _ROLL_BACK_S


def test_the_bounds_are_those_of_the_template() -> None:
    template = (ROOT / "template.yaml").read_text()
    for name, (least, most) in {"EndpointBakingSeconds": BAKING, "EndpointInstanceCount": INSTANCES}.items():
        found = re.search(rf"  {name}:\n.*?MinValue: (\d+)\n    MaxValue: (\d+)", template, re.DOTALL)
        assert found is not None
        assert (int(found[1]), int(found[2])) == (least, most)


def test_the_number_of_instances_is_kept_unless_the_parameter_has_changed() -> None:
    assert overridden_properties(2, 2) == []
    for before in (1, None):
        assert overridden_properties(before, 2) == [{"VariantPropertyType": "DesiredInstanceCount"}]

"""Blue/green updates of endpoints: what a DeploymentConfig may say, shares of traffic, baking, alarms, roll-back."""

from __future__ import annotations

from collections import Counter
from typing import Any

import boto3
import pytest

from local_aws.sagemaker import SageMaker, ServiceError, Timing
from local_aws.sagemaker.endpoints.deployment import GreenFleet
from local_aws.tests.sagemaker.support import IMAGE_URI, ROLE, Make, wait_for, wait_while

AT_ONCE = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 300}
CANARY = {"Type": "CANARY", "WaitIntervalInSeconds": 300, "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1}}
ALARM = "ep-5xx"


@pytest.fixture
def cloudwatch(endpoint_url: str) -> Any:
    client = boto3.client(
        "cloudwatch",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106
    )
    client.put_metric_alarm(
        AlarmName=ALARM,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
    )
    client.set_alarm_state(AlarmName=ALARM, StateValue="OK", StateReason="before")
    return client


def configure(sagemaker: SageMaker, name: str, instances: int = 1, **environment: str) -> None:
    container = {"Image": IMAGE_URI, "Environment": environment}
    sagemaker.call("CreateModel", {"ModelName": name, "PrimaryContainer": container, "ExecutionRoleArn": ROLE})
    variant = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large"}
    variants = [{**variant, "InitialInstanceCount": instances}]
    sagemaker.call("CreateEndpointConfig", {"EndpointConfigName": name, "ProductionVariants": variants})


def start(make: Make, instances: int = 1, scale: float = 0.002) -> SageMaker:
    """An endpoint that answers as version 1, and the configuration of version 2."""
    sagemaker = make(timing=Timing(startup=15, wait_scale=scale))
    for version in ("1", "2"):
        configure(sagemaker, f"v{version}", instances, VERSION=version)
    sagemaker.call("CreateEndpoint", {"EndpointName": "ep", "EndpointConfigName": "v1"})
    assert settled(sagemaker)["EndpointStatus"] == "InService"
    return sagemaker


def update(sagemaker: SageMaker, routing: dict[str, Any], alarms: bool = True, **more: Any) -> None:
    policy = {"TrafficRoutingConfiguration": routing, **more.pop("policy", {})}
    config: dict[str, Any] = {"BlueGreenUpdatePolicy": policy}
    if alarms:
        config["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": ALARM}]}
    request = {"EndpointName": "ep", "EndpointConfigName": "v2", "DeploymentConfig": config, **more}
    sagemaker.call("UpdateEndpoint", request)


def describe(sagemaker: SageMaker) -> dict[str, Any]:
    return sagemaker.call("DescribeEndpoint", {"EndpointName": "ep"})


def settled(sagemaker: SageMaker) -> dict[str, Any]:
    return wait_while(lambda: describe(sagemaker), "EndpointStatus", "Creating", "Updating")


def baking(sagemaker: SageMaker) -> bool:
    summary = describe(sagemaker).get("PendingDeploymentSummary", {"ProductionVariants": [{}]})
    return summary["ProductionVariants"][0].get("VariantStatus", [{}])[0].get("Status") == "Baking"


def versions(sagemaker: SageMaker, requests: int) -> Counter[str]:
    answers = [sagemaker.invoke_endpoint("ep", {"Content-Type": "text/csv"}, b"x") for _ in range(requests)]
    assert {status for status, _, _ in answers} == {200}
    return Counter("2" if b'"version": "2"' in body else "1" for _, _, body in answers)


REFUSED = {
    "canary without a size": (1, {"Type": "CANARY", "WaitIntervalInSeconds": 1}, {}, "must have CanarySize"),
    "a size without canary": (2, {**CANARY, "Type": "ALL_AT_ONCE"}, {}, "must not have CanarySize"),
    "canary of one instance": (1, CANARY, {}, r"is 100% of 1 instance\(s\); it must be at most 50%"),
    "a linear step too small": (
        2,
        {**AT_ONCE, "Type": "LINEAR", "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 9}},
        {},
        "it must be 10-50%",
    ),
    "a limit too short": (
        2,
        CANARY,
        {"policy": {"MaximumExecutionTimeoutInSeconds": 600}},
        "must be larger than the total waiting time",
    ),
    "a limit out of bounds": (2, CANARY, {"policy": {"MaximumExecutionTimeoutInSeconds": 599}}, "min value: 600"),
    "a wait out of bounds": (1, {**AT_ONCE, "WaitIntervalInSeconds": 3601}, {}, "less than or equal to 3600"),
    "a termination out of bounds": (1, AT_ONCE, {"policy": {"TerminationWaitInSeconds": 3601}}, "equal to 3600"),
    "the last config again": (1, AT_ONCE, {"RetainDeploymentConfig": True}, "RetainDeploymentConfig"),
}


def test_what_a_deployment_may_not_say(make: Make) -> None:
    sagemaker = start(make)
    configure(sagemaker, "on-2", 2)
    for instances, routing, more, sentence in REFUSED.values():
        config = "v2" if instances == 1 else "on-2"
        with pytest.raises(ServiceError, match=sentence):
            update(sagemaker, routing, EndpointConfigName=config, **more)
    assert describe(sagemaker)["EndpointStatus"] == "InService"
    assert "LastDeploymentConfig" not in describe(sagemaker)


def test_all_at_once_bakes_then_ends_and_measures(make: Make, cloudwatch: Any) -> None:
    assert cloudwatch
    sagemaker = start(make, scale=0.01)  # it bakes for 3 s
    update(sagemaker, AT_ONCE)
    wait_for(lambda: baking(sagemaker), what="the new fleet")
    assert describe(sagemaker)["EndpointConfigName"] == "v1"
    assert versions(sagemaker, 4) == {"2": 4}
    found = settled(sagemaker)
    assert (found["EndpointConfigName"], found.get("FailureReason")) == ("v2", None)
    assert found["LastDeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"] == AT_ONCE
    assert versions(sagemaker, 4) == {"2": 4}


def test_a_canary_takes_its_share_and_an_alarm_takes_it_away(make: Make, cloudwatch: Any) -> None:
    sagemaker = start(make, instances=4, scale=1)
    update(sagemaker, CANARY)
    wait_for(lambda: baking(sagemaker), what="the canary")
    assert versions(sagemaker, 20) == {"1": 15, "2": 5}
    cloudwatch.set_alarm_state(AlarmName=ALARM, StateValue="ALARM", StateReason="errors")
    found = settled(sagemaker)
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", "v1")
    assert found["FailureReason"] == f"One or more alarms went into ALARM state: {ALARM}."
    assert versions(sagemaker, 8) == {"1": 8}
    cloudwatch.delete_alarms(AlarmNames=[ALARM])
    update(sagemaker, CANARY)
    assert settled(sagemaker)["FailureReason"] == f"There is no alarm {ALARM}."


def test_an_update_may_keep_the_number_of_instances(make: Make) -> None:
    sagemaker = start(make, instances=3)
    configure(sagemaker, "small", 2)
    for excluded, expected in (([], 3), ([{"VariantPropertyType": "DesiredInstanceCount"}], 2)):
        kept = {"RetainAllVariantProperties": True, "ExcludeRetainedVariantProperties": excluded}
        update(sagemaker, AT_ONCE, alarms=False, EndpointConfigName="small", **kept)
        assert settled(sagemaker)["ProductionVariants"][0]["DesiredInstanceCount"] == expected


def test_invocations_are_measured(make: Make) -> None:
    measured: list[tuple[str, float]] = []
    sagemaker = make(record_metric=lambda name, value, _unit, of: measured.append((name, value)) if of else None)
    configure(sagemaker, "v1")
    sagemaker.call("CreateEndpoint", {"EndpointName": "ep", "EndpointConfigName": "v1"})
    settled(sagemaker)
    for body in (b"x", b"status:500", b"status:415", b"sleep:0.05"):
        sagemaker.invoke_endpoint("ep", {"Content-Type": "text/csv"}, body)
    values = {name: [value for each, value in measured if each == name] for name, _ in measured}
    assert values["Invocations"] == [1, 1, 1, 1]
    assert values["Invocation5XXErrors"] == [0, 1, 0, 0]
    assert values["Invocation4XXErrors"] == [0, 0, 1, 0]
    assert 50_000 <= values["ModelLatency"][-1] < 5_000_000


def test_a_share_is_spread_over_the_requests() -> None:
    fleet = GreenFleet(0.25)
    assert [fleet.takes_next() for _ in range(8)] == [False, False, False, True] * 2

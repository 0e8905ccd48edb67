"""Errors of a new fleet become metrics, an alarm goes off, and the update is rolled back with the role's own right."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.tests.server.machines import eventually

Client = Callable[..., Any]
IMAGE_URI = "000000000000.dkr.ecr.us-east-1.amazonaws.com/test-image:1"
NAMES = {"right": "watched", "wrong": "not-watched"}


def role_that_reads(client: Client, alarm: str) -> str:
    iam, service = client("iam"), {"Service": "sagemaker.amazonaws.com"}
    trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": service}]}
    resource = f"arn:aws:cloudwatch:us-east-1:000000000000:alarm:{alarm}"
    policy = {"Statement": [{"Effect": "Allow", "Action": "cloudwatch:DescribeAlarms", "Resource": resource}]}
    document = json.dumps({"Version": "2012-10-17", **trust})
    arn = iam.create_role(RoleName=f"reads-{alarm}", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    document = json.dumps({"Version": "2012-10-17", **policy})
    iam.put_role_policy(RoleName=f"reads-{alarm}", PolicyName="p", PolicyDocument=document)
    return str(arn)


def configure(sagemaker: Any, name: str, role: str) -> None:
    sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": IMAGE_URI}, ExecutionRoleArn=role)
    variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])


def test_errors_take_a_new_fleet_back(client: Client) -> None:
    sagemaker, runtime = client("sagemaker"), client("sagemaker-runtime")
    client("cloudwatch").put_metric_alarm(
        AlarmName="watched",
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[{"Name": "EndpointName", "Value": "watched"}, {"Name": "VariantName", "Value": "v"}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=3,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
    )
    for name, alarm in NAMES.items():
        configure(sagemaker, name, role_that_reads(client, alarm))

    def describe() -> dict[str, Any]:
        return dict(sagemaker.describe_endpoint(EndpointName="watched"))

    def update(config: str) -> None:
        routing = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 600}
        deployment = {
            "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing},
            "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "watched"}]},
        }
        sagemaker.update_endpoint(EndpointName="watched", EndpointConfigName=config, DeploymentConfig=deployment)

    sagemaker.create_endpoint(EndpointName="watched", EndpointConfigName="right")
    eventually(lambda: describe()["EndpointStatus"] == "InService")
    update("wrong")
    eventually(lambda: describe()["EndpointStatus"] == "InService")
    assert "is not authorized to perform: cloudwatch:DescribeAlarms" in describe()["FailureReason"]
    update("right")
    eventually(lambda: "VariantStatus" in str(describe().get("PendingDeploymentSummary")))
    for _ in range(3):
        with pytest.raises(ClientError, match="ModelError"):
            runtime.invoke_endpoint(EndpointName="watched", ContentType="text/csv", Body=b"status:500")
    eventually(lambda: describe()["EndpointStatus"] == "InService")
    assert describe()["FailureReason"] == "One or more alarms went into ALARM state: watched."
    assert runtime.invoke_endpoint(EndpointName="watched", ContentType="text/csv", Body=b"x")["Body"].read()

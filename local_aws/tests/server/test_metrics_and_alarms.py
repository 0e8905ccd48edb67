"""Metrics in log lines, and alarms that look at their own dimensions and at missing data."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.tests.server.machines import Machines, eventually

Client = Callable[..., Any]


def line(**changed: Any) -> str:
    directive = {
        "Namespace": "Scoring",
        "Dimensions": [["use_case"], []],
        "Metrics": [{"Name": "Rows", "Unit": "Count"}],
    }
    told = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive | changed.pop("directive", {})]}
    return json.dumps({"_aws": told, "use_case": "churn", "Rows": 3, **changed})


def total(cloudwatch: Any, namespace: str, name: str, **dimensions: str) -> float:
    now = datetime.now(UTC)
    found = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in found["Datapoints"])


def test_log_lines_become_metrics(client: Client) -> None:
    logs, cloudwatch = client("logs"), client("cloudwatch")
    logs.create_log_group(logGroupName="/embedded")
    logs.create_log_stream(logGroupName="/embedded", logStreamName="s")
    lines = [
        line(),
        line(Rows=[4, 5.5]),
        line(use_case="rent"),
        line(Rows="many"),  # this one and the next three are lines only
        line(use_case=7),
        line(directive={"Metrics": [{"Name": f"Rows{number}"} for number in range(101)]}),
        'no JSON: "_aws"',
    ]
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": each} for each in lines]
    logs.put_log_events(logGroupName="/embedded", logStreamName="s", logEvents=events)
    assert total(cloudwatch, "Scoring", "Rows", use_case="churn") == 12.5
    assert total(cloudwatch, "Scoring", "Rows", use_case="rent") == 3
    assert total(cloudwatch, "Scoring", "Rows") == 15.5
    names = {metric["MetricName"] for metric in cloudwatch.list_metrics(Namespace="Scoring")["Metrics"]}
    assert names == {"Rows"}
    assert len(logs.get_log_events(logGroupName="/embedded", logStreamName="s")["events"]) == len(lines)


def test_lines_of_functions_become_metrics(client: Client, function: Callable[[str], str]) -> None:
    arn = function(f"def handler(event, context):\n    print('''{line(directive={'Namespace': 'Function'})}''')\n")
    client("lambda").invoke(FunctionName=arn)
    eventually(lambda: total(client("cloudwatch"), "Function", "Rows", use_case="churn") == 3)
    assert total(client("cloudwatch"), "AWS/Lambda", "Invocations", FunctionName=arn.rpartition(":")[2]) == 1
    assert total(client("cloudwatch"), "AWS/Lambda", "Invocations") >= 1


def test_executions_are_counted(client: Client, machines: Machines) -> None:
    arn = machines.create(
        {
            "A": {"Type": "Choice", "Choices": [{"Condition": "{% $states.input.ok %}", "Next": "S"}], "Default": "F"},
            "S": {"Type": "Succeed"},
            "F": {"Type": "Fail"},
        }
    )
    states, cloudwatch = client("stepfunctions"), client("cloudwatch")
    for ok in (True, True, False):
        machines.wait(states.start_execution(stateMachineArn=arn, input=json.dumps({"ok": ok}))["executionArn"])

    def counted(name: str) -> float:
        return total(cloudwatch, "AWS/States", name, StateMachineArn=arn)

    eventually(lambda: counted("ExecutionsSucceeded") == 2 and counted("ExecutionsFailed") == 1)
    assert counted("ExecutionsStarted") == 3
    assert counted("ExecutionsTimedOut") == 0


def alarm(cloudwatch: Any, name: str, **changed: Any) -> Callable[[], str]:
    """Make an alarm; returns what tells its state."""
    known = {
        "AlarmName": name,
        "Namespace": "Alarms",
        "MetricName": name,
        "Dimensions": [{"Name": "use_case", "Value": "churn"}],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 5.0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    cloudwatch.put_metric_alarm(**{**known, **changed})
    return lambda: str(cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"])


def put(cloudwatch: Any, name: str, value: float, ago: float = 0, **dimensions: str) -> None:
    found = [{"Name": key, "Value": each} for key, each in dimensions.items()]
    moment = datetime.now(UTC) - timedelta(seconds=ago)
    datum = {"MetricName": name, "Value": value, "Dimensions": found, "Timestamp": moment}
    cloudwatch.put_metric_data(Namespace="Alarms", MetricData=[datum])


def test_an_alarm_looks_at_its_own_dimensions_and_periods(client: Client) -> None:
    cloudwatch, sns, sqs = client("cloudwatch"), client("sns"), client("sqs")
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    queue = sqs.create_queue(QueueName="alarms")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue_arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    events = client("events")
    pattern = {"detail-type": ["CloudWatch Alarm State Change"], "detail": {"alarmName": ["told"]}}
    events.put_rule(Name="alarms", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="alarms", Targets=[{"Id": "q", "Arn": queue_arn}])
    state = alarm(cloudwatch, "errors", AlarmActions=[topic])
    put(cloudwatch, "errors", 100, use_case="rent")
    put(cloudwatch, "errors", 100)
    put(cloudwatch, "errors", 100, ago=3600, use_case="churn")
    assert state() == "INSUFFICIENT_DATA"
    put(cloudwatch, "errors", 2, use_case="churn")
    assert state() == "OK"
    put(cloudwatch, "errors", 4, use_case="churn")
    assert state() == "ALARM"
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    told = json.loads(json.loads(message["Body"])["Message"])
    assert (told["AlarmName"], told["NewStateValue"], told["OldStateValue"]) == ("errors", "ALARM", "OK")
    alarm(cloudwatch, "told", TreatMissingData="breaching")
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    told = json.loads(message["Body"])
    assert told["source"] == "aws.cloudwatch"
    assert told["detail"]["state"]["value"] == "ALARM"
    assert told["detail"]["previousState"] == {"value": "INSUFFICIENT_DATA"}


def test_two_of_three_periods(client: Client) -> None:
    cloudwatch = client("cloudwatch")
    state = alarm(cloudwatch, "lag", EvaluationPeriods=3, DatapointsToAlarm=2)
    put(cloudwatch, "lag", 9, ago=150, use_case="churn")
    put(cloudwatch, "lag", 1, ago=90, use_case="churn")
    assert state() == "OK"
    put(cloudwatch, "lag", 9, ago=30, use_case="churn")
    assert state() == "ALARM"


def test_missing_data_act_by_themselves(client: Client) -> None:
    cloudwatch = client("cloudwatch")
    wanted = {"breaching": "ALARM", "notBreaching": "OK", "ignore": "INSUFFICIENT_DATA"}
    states = {way: alarm(cloudwatch, f"silent-{way}", TreatMissingData=way) for way in wanted}
    assert {way: state() for way, state in states.items()} == wanted
    state = alarm(cloudwatch, "stops", Period=10, EvaluationPeriods=1, TreatMissingData="breaching")
    put(cloudwatch, "stops", 1, ago=29, use_case="churn")
    assert state() == "OK"
    eventually(lambda: state() == "ALARM")  # nobody calls PutMetricData


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"Metrics": [{"Id": "e", "Expression": "m1 / m2"}]}, "Metrics"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "GreaterThanUpperThreshold"),
        ({"ExtendedStatistic": "tm99"}, "tm99"),
        ({"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}, "the action arn:aws:automate"),
    ],
)
def test_what_an_alarm_is_refused_for(client: Client, changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match=f"does not emulate .*{words}"):
        alarm(client("cloudwatch"), "refused", **changed)


def test_a_template_makes_alarms_and_is_refused_alike(client: Client) -> None:
    cloudformation, cloudwatch = client("cloudformation"), client("cloudwatch")

    def create(name: str, **changed: Any) -> str:
        known = {"AlarmName": name, "Namespace": "Alarms", "MetricName": name, "Threshold": 1, "EvaluationPeriods": 1}
        properties = {**known, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching"}
        resource = {"Type": "AWS::CloudWatch::Alarm", "Properties": {**properties, **changed}}
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {"Alarm": resource}}))

        def ended() -> str:
            found = str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
            return "" if found.endswith("IN_PROGRESS") else found

        return str(eventually(ended))

    assert create("of-template") == "CREATE_COMPLETE"
    (found,) = cloudwatch.describe_alarms(AlarmNames=["of-template"])["MetricAlarms"]
    assert found["StateValue"] == "OK"
    assert create("refused-template", AlarmActions=["arn:aws:automate:us-east-1:ec2:stop"]) == "ROLLBACK_COMPLETE"

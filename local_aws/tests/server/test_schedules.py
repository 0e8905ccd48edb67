"""EventBridge Scheduler: what starts, with whose rights, what is tried again, and what is refused."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.tests.server.machines import Machines, eventually

Client = Callable[..., Any]
NUMBERS = itertools.count()
AT_ONCE = "rate(1 hour)"  # a rate begins when the schedule is made
OFF = {"Mode": "OFF"}
INPUT = {
    "schedule": "<aws.scheduler.schedule-arn>",
    "scheduled": "<aws.scheduler.scheduled-time>",
    "execution": "<aws.scheduler.execution-id>",
    "attempt": "<aws.scheduler.attempt-number>",
}


class Schedules:
    """Makes schedules with one role, whose policy a test changes."""

    def __init__(self, client: Client) -> None:
        self.client = client("scheduler")
        self.iam, self.sqs = client("iam"), client("sqs")
        self.role_name = f"schedules-{next(NUMBERS)}"
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "scheduler.amazonaws.com"}}
        document = json.dumps({"Statement": [trust]})
        role = self.iam.create_role(RoleName=self.role_name, AssumeRolePolicyDocument=document)
        self.role = role["Role"]["Arn"]

    def allow(self, *actions: str, resource: str = "*") -> None:
        document = {"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": resource}]}
        self.iam.put_role_policy(RoleName=self.role_name, PolicyName="p", PolicyDocument=json.dumps(document))

    def make(self, arn: str, expression: str = AT_ONCE, *, more: dict[str, Any] | None = None, **target: Any) -> str:
        name = f"schedule-{next(NUMBERS)}"
        target = {"Arn": arn, "RoleArn": self.role, "Input": json.dumps(INPUT), **target}
        self.client.create_schedule(
            **{
                "Name": name,
                "ScheduleExpression": expression,
                "FlexibleTimeWindow": OFF,
                "Target": target,
                **(more or {}),
            }
        )
        return name

    def queue(self) -> tuple[str, str]:
        url = self.sqs.create_queue(QueueName=f"scheduled-{next(NUMBERS)}")["QueueUrl"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, found["Attributes"]["QueueArn"]

    def message(self, url: str) -> dict[str, Any]:
        def received() -> list[dict[str, Any]]:
            return self.sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages", [])

        (message,) = eventually(received)
        return dict(message)


@pytest.fixture
def schedules(client: Client) -> Schedules:
    return Schedules(client)


def test_each_target_gets_the_input_with_the_rights_of_the_schedules_role(
    client: Client, schedules: Schedules, machines: Machines, function: Callable[[str], str], tmp_path: Any
) -> None:
    seen = tmp_path / "seen.json"
    source = "import json, pathlib\ndef handler(event, context):\n"
    called = function(f"{source}    pathlib.Path({str(seen)!r}).write_text(json.dumps(event))\n")
    machine = machines.create({"Done": {"Type": "Pass", "End": True}})
    url, queue = schedules.queue()
    caught_url, caught = schedules.queue()
    bus = "arn:aws:events:us-east-1:000000000000:event-bus/default"
    events = client("events")
    rule = events.put_rule(Name="scheduled", EventPattern=json.dumps({"source": ["nightly"]}))["RuleArn"]
    events.put_targets(Rule="scheduled", Targets=[{"Id": "q", "Arn": caught}])
    allowed = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Statement": [{**allowed, "Resource": caught, "Condition": {"ArnEquals": {"aws:SourceArn": rule}}}]}
    schedules.sqs.set_queue_attributes(QueueUrl=caught_url, Attributes={"Policy": json.dumps(policy)})

    schedules.allow("lambda:InvokeFunction", "states:StartExecution", "sqs:SendMessage", "events:PutEvents")
    before = datetime.now(UTC) - timedelta(seconds=1)
    name = schedules.make(called)
    schedules.make(machine)
    schedules.make(queue)
    schedules.make(bus, EventBridgeParameters={"Source": "nightly", "DetailType": "Scoring Requested"})

    eventually(seen.exists)
    event = eventually(lambda: json.loads(seen.read_text() or "null"))
    assert event["schedule"].endswith(f":schedule/default/{name}")
    assert before <= datetime.fromisoformat(event["scheduled"]) <= datetime.now(UTC)
    assert event["scheduled"].endswith("Z")
    assert (event["attempt"], len(event["execution"])) == ("1", 16)
    (execution,) = eventually(lambda: machines.client.list_executions(stateMachineArn=machine)["executions"])
    given = json.loads(machines.client.describe_execution(executionArn=execution["executionArn"])["input"])
    assert given["attempt"] == "1"
    assert json.loads(schedules.message(url)["Body"])["attempt"] == "1"
    caught_event = json.loads(schedules.message(caught_url)["Body"])
    assert caught_event["detail-type"] == "Scoring Requested"
    assert caught_event["detail"]["attempt"] == "1"


def test_what_fails_is_tried_again_and_then_kept(schedules: Schedules, machines: Machines) -> None:
    machine = machines.create({"Done": {"Type": "Pass", "End": True}})
    url, queue = schedules.queue()
    schedules.allow("sqs:SendMessage")
    policy = {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 60}
    name = schedules.make(machine, DeadLetterConfig={"Arn": queue}, RetryPolicy=policy)
    message = schedules.message(url)
    said = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
    assert said["ERROR_CODE"] == "AccessDeniedException"
    assert f"not authorized to perform: states:StartExecution on resource: {machine}" in said["ERROR_MESSAGE"]
    assert (said["RETRY_ATTEMPTS"], said["EXHAUSTED_RETRY_CONDITION"]) == ("1", "MaximumRetryAttempts")
    assert said["SCHEDULE_ARN"].endswith(name)
    assert json.loads(message["Body"])["attempt"] == "2"


def test_one_moment_comes_once_in_its_time_zone_and_the_schedule_is_deleted(schedules: Schedules) -> None:
    url, queue = schedules.queue()
    schedules.allow("sqs:SendMessage")
    # Honolulu is ten hours behind all year, so in UTC this moment is long past.
    moment = (datetime.now(UTC) - timedelta(hours=10)).strftime("%Y-%m-%dT%H:%M:%S")
    zone = {"ScheduleExpressionTimezone": "Pacific/Honolulu"}
    later = schedules.make(queue, f"at({moment.replace(moment[:4], str(int(moment[:4]) + 1), 1)})", more=zone)
    disabled = schedules.make(queue, f"at({moment})", more={**zone, "State": "DISABLED"})
    name = schedules.make(queue, f"at({moment})", more={**zone, "ActionAfterCompletion": "DELETE"})
    body = json.loads(schedules.message(url)["Body"])
    assert body["schedule"].endswith(name)
    assert datetime.fromisoformat(body["scheduled"]) > datetime.now(UTC) - timedelta(minutes=1)

    def names() -> set[str]:
        return {one["Name"] for one in schedules.client.list_schedules()["Schedules"]}

    eventually(lambda: name not in names())
    assert {later, disabled} <= names()
    assert "Messages" not in schedules.sqs.receive_message(QueueUrl=url)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"ScheduleExpression": "cron(0 25 * * ? *)"}, r"Invalid Schedule Expression cron\(0 25 \* \* \? \*\)"),
        ({"ScheduleExpressionTimezone": "Mars/Olympus"}, "Mars/Olympus is not valid"),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "MaximumWindowInMinutes None must be between"),
        ({"Target": {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage"}}, "does not emulate universal targets"),
        ({"Target": {"Arn": "arn:aws:kinesis:us-east-1:000000000000:stream/s"}}, "does not emulate the target"),
        ({"Target": {"Input": "not JSON"}}, "is not JSON"),
        ({"Target": {"RoleArn": "arn:aws:iam::000000000000:role/nobody"}}, "must allow AWS EventBridge Scheduler"),
        ({"GroupName": "nowhere"}, "nowhere does not exist"),
    ],
)
def test_what_is_refused(schedules: Schedules, changed: dict[str, Any], sentence: str) -> None:
    target = {"Arn": "arn:aws:lambda:us-east-1:000000000000:function:f", "RoleArn": schedules.role}
    settings = {"ScheduleExpression": AT_ONCE, "FlexibleTimeWindow": OFF, **changed}
    settings["Target"] = {**target, **changed.get("Target", {})}
    with pytest.raises(ClientError, match=sentence):
        schedules.client.create_schedule(Name="refused", **settings)


def test_a_template_makes_changes_and_deletes_a_schedule(client: Client, schedules: Schedules) -> None:
    _url, queue = schedules.queue()
    cloudformation = client("cloudformation")
    settings = {
        "ScheduleExpression": "cron(0 2 * * ? *)",
        "ScheduleExpressionTimezone": "Europe/Berlin",
        "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
        "GroupName": {"Ref": "Group"},
        "Target": {"Arn": queue, "RoleArn": schedules.role, "RetryPolicy": {"MaximumRetryAttempts": "3"}},
    }

    def template(**changed: Any) -> str:
        schedule = {"Type": "AWS::Scheduler::Schedule", "Properties": {**settings, **changed}}
        group = {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {"Name": "nightly"}}
        return json.dumps({"Resources": {"Schedule": schedule, "Group": group}})

    def state(wanted: str) -> str:
        cloudformation.get_waiter(f"stack_{wanted}_complete").wait(StackName="schedule", WaiterConfig={"Delay": 1})
        (found,) = cloudformation.describe_stack_resources(StackName="schedule", LogicalResourceId="Schedule")[
            "StackResources"
        ]
        return str(found["PhysicalResourceId"])

    cloudformation.create_stack(StackName="schedule", TemplateBody=template())
    name = state("create")
    made = schedules.client.get_schedule(Name=name, GroupName="nightly")
    assert made["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert made["FlexibleTimeWindow"]["MaximumWindowInMinutes"] == 5
    cloudformation.update_stack(StackName="schedule", TemplateBody=template(State="DISABLED", GroupName="default"))
    assert schedules.client.get_schedule(Name=state("update"))["State"] == "DISABLED"
    with pytest.raises(ClientError, match="does not exist"):
        schedules.client.get_schedule(Name=name, GroupName="nightly")
    cloudformation.update_stack(StackName="schedule", TemplateBody=template(ScheduleExpression="cron(61 2 * * ? *)"))

    def stack(name: str) -> str:
        return str(cloudformation.describe_stacks(StackName="schedule")["Stacks"][0][name])

    def reasons() -> list[str]:
        events = cloudformation.describe_stack_events(StackName="schedule")["StackEvents"]
        return [event.get("ResourceStatusReason", "") for event in events]

    eventually(lambda: any("Invalid Schedule Expression" in reason for reason in reasons()))
    eventually(
        lambda: "ROLLBACK_COMPLETE" in cloudformation.describe_stacks(StackName="schedule")["Stacks"][0]["StackStatus"]
    )
    cloudformation.delete_stack(StackName="schedule")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="schedule", WaiterConfig={"Delay": 1})
    assert not [one for one in schedules.client.list_schedules()["Schedules"] if one["Name"] == name]

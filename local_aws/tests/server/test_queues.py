"""Queues that start functions: batches, what failed in them, dead letters and their way back."""

from __future__ import annotations

import io
import itertools
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.tests.server.machines import eventually

Client = Callable[..., Any]
NUMBERS = itertools.count()

ENDINGS = {
    "reports": "return {'batchItemFailures': [{'itemIdentifier': r['messageId']} for r in bad]}",
    "raises": "if bad: raise ValueError('poison')",
    "is killed": "if bad: os._exit(1)",
    "is too slow": "if bad: time.sleep(3)",
    "reports a stranger": "return {'batchItemFailures': [{'itemIdentifier': 'nobody'}]} if bad else None",
    "reports nonsense": "return {'batchItemFailures': [{'id': 'x'}]} if bad else None",
}
# Keeps the size of each batch, as a group of log lines would.
SOURCE = """
import json, os, pathlib, time
def handler(event, context):
    bodies = [r['body'] for r in event['Records']]
    pathlib.Path(os.environ['SEEN']).open('a').write(json.dumps(bodies) + '\\n')
    bad = [r for r in event['Records'] if r['body'] == 'bad']
    {ending}
"""


class Line:
    """A queue with a dead-letter queue, and a function behind it."""

    def __init__(self, client: Client, role: str, folder: Any, ending: str = "return None") -> None:
        self.client, self.sqs, self.functions = client, client("sqs"), client("lambda")
        self.name = f"line-{next(NUMBERS)}"
        self.seen = folder / f"{self.name}.jsonl"
        self.dead = self.sqs.create_queue(QueueName=f"{self.name}-dead")["QueueUrl"]
        self.dead_arn = self.arn(self.dead)
        policy = json.dumps({"deadLetterTargetArn": self.dead_arn, "maxReceiveCount": 2})
        attributes = {"VisibilityTimeout": "1", "RedrivePolicy": policy}
        self.queue = self.sqs.create_queue(QueueName=self.name, Attributes=attributes)["QueueUrl"]
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("app.py", SOURCE.replace("{ending}", ending))
        self.function = self.functions.create_function(
            FunctionName=self.name,
            Runtime="python3.11",
            Role=role,
            Handler="app.handler",
            Code={"ZipFile": archive.getvalue()},
            Timeout=1,
            Environment={"Variables": {"SEEN": str(self.seen)}},
        )["FunctionArn"]

    def arn(self, queue: str) -> str:
        found = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        return str(found["Attributes"]["QueueArn"])

    def map(self, **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.functions.create_event_source_mapping(
            EventSourceArn=self.arn(self.queue), FunctionName=self.function, **more
        )
        return found

    def warm(self) -> None:
        """Call the function until it answers within its time-out."""
        given = {"FunctionName": self.function, "Payload": json.dumps({"Records": []})}
        eventually(lambda: "FunctionError" not in self.functions.invoke(**given))

    def send(self, *bodies: str) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.queue, MessageBody=body)

    def batches(self) -> list[list[str]]:
        return [json.loads(line) for line in self.seen.read_text().splitlines()] if self.seen.exists() else []

    def waiting(self, queue: str) -> int:
        found = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])


@pytest.fixture
def line(client: Client, role_arn: str, tmp_path: Any) -> Callable[..., Line]:
    return lambda **named: Line(client, role_arn, tmp_path, **named)


def failed(line: Callable[..., Line], *endings: str) -> dict[str, Line]:
    """Lines whose functions failed in these ways, once all failed messages are dead letters."""
    lines = {how: line(ending=ENDINGS[how]) for how in endings}
    lines["reports"].warm()  # its good message must not fail because a cold start takes longer than a second
    for one in lines.values():
        one.send("bad", "good")
        one.map(FunctionResponseTypes=["ReportBatchItemFailures"])
    for how, one in lines.items():
        # Only the function that reports says which message failed. All others failed with the whole batch.
        expected = 1 if how == "reports" else 2
        eventually(lambda one=one, n=expected: one.waiting(one.dead) == n and one.waiting(one.queue) == 0)
        assert [body for batch in one.batches() for body in batch].count("bad") >= 2, how
    return lines


@pytest.mark.slow
def test_however_a_function_fails_its_messages_are_dead_letters(line: Callable[..., Line]) -> None:
    failed(line, *ENDINGS)


def test_failed_messages_go_to_the_dead_letters_and_move_back(line: Callable[..., Line]) -> None:
    one = failed(line, "reports", "reports nonsense")["reports"]
    assert one.sqs.list_dead_letter_source_queues(QueueUrl=one.dead)["queueUrls"] == [one.queue]
    assert one.sqs.list_dead_letter_source_queues(QueueUrl=one.queue)["queueUrls"] == []
    handle = one.sqs.start_message_move_task(SourceArn=one.dead_arn)["TaskHandle"]
    (task,) = one.sqs.list_message_move_tasks(SourceArn=one.dead_arn)["Results"]
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 1)
    eventually(lambda: sum("bad" in batch for batch in one.batches()) > 2)
    with pytest.raises(ClientError, match="Only active"):
        one.sqs.cancel_message_move_task(TaskHandle=handle)
    with pytest.raises(ClientError, match="must be configured as a Dead Letter Queue"):
        one.sqs.start_message_move_task(SourceArn=one.arn(one.queue))


def test_a_slow_move_goes_on_until_it_is_cancelled(line: Callable[..., Line]) -> None:
    one = line()
    for number in range(3):
        one.sqs.send_message(QueueUrl=one.dead, MessageBody=str(number))
    task = {"SourceArn": one.dead_arn, "DestinationArn": one.arn(one.queue), "MaxNumberOfMessagesPerSecond": 1}
    handle = one.sqs.start_message_move_task(**task)["TaskHandle"]
    with pytest.raises(ClientError, match="already a task running"):
        one.sqs.start_message_move_task(**task)
    assert one.sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"] < 3
    (found,) = one.sqs.list_message_move_tasks(SourceArn=one.dead_arn)["Results"]
    assert found["Status"] == "CANCELLED"
    assert "TaskHandle" not in found


def test_a_window_gathers_one_batch(line: Callable[..., Line]) -> None:
    one = line()
    one.sqs.set_queue_attributes(QueueUrl=one.queue, Attributes={"VisibilityTimeout": "30"})
    one.map(BatchSize=100, MaximumBatchingWindowInSeconds=1)
    one.send(*map(str, range(12)))
    eventually(lambda: sum(map(len, one.batches())) == 12)
    assert max(map(len, one.batches())) > 10


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"BatchSize": 11}, "Maximum batch window in seconds must be greater than 0"),
        ({"BatchSize": 10001, "MaximumBatchingWindowInSeconds": 1}, "between 1 and 10000"),
        ({"MaximumBatchingWindowInSeconds": 301}, "between 0 and 300"),
    ],
)
def test_a_mapping_that_aws_refuses(line: Callable[..., Line], settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ClientError, match=sentence) as refused:
        line().map(**settings)
    assert refused.value.response["Error"]["Code"] in ("InvalidParameterValueException", "ValidationException")


def test_a_queue_must_stay_invisible_as_long_as_its_function_may_run(line: Callable[..., Line]) -> None:
    one = line()
    one.functions.update_function_configuration(FunctionName=one.name, Timeout=2)
    sentence = "Queue visibility timeout: 1 seconds is less than Function timeout: 2 seconds"
    with pytest.raises(ClientError, match=sentence):
        one.map()
    properties = {"EventSourceArn": one.arn(one.queue), "FunctionName": one.name}
    resource = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}
    cloudformation = one.client("cloudformation")
    cloudformation.create_stack(StackName=one.name, TemplateBody=json.dumps({"Resources": {"Mapping": resource}}))

    def reasons() -> list[str]:
        events = cloudformation.describe_stack_events(StackName=one.name)["StackEvents"]
        return [event.get("ResourceStatusReason", "") for event in events]

    eventually(lambda: any(sentence in reason for reason in reasons()))
    assert one.functions.list_event_source_mappings(FunctionName=one.name)["EventSourceMappings"] == []


def test_a_template_changes_its_mapping(line: Callable[..., Line]) -> None:
    one = line()
    properties = {
        "EventSourceArn": one.arn(one.queue),
        "FunctionName": one.name,
        "Enabled": "false",
        "BatchSize": "20",
        "MaximumBatchingWindowInSeconds": "1",
        "ScalingConfig": {"MaximumConcurrency": 2},
    }
    cloudformation = one.client("cloudformation")

    def template(**named: Any) -> str:
        resource = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": named}
        return json.dumps({"Resources": {"Mapping": resource}})

    cloudformation.create_stack(StackName=one.name, TemplateBody=template(**properties))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=one.name, WaiterConfig={"Delay": 1})
    (made,) = one.functions.list_event_source_mappings(FunctionName=one.name)["EventSourceMappings"]
    assert (made["State"], made["BatchSize"], made["ScalingConfig"]) == ("Disabled", 20, {"MaximumConcurrency": 2})
    kept = {name: properties[name] for name in ("EventSourceArn", "FunctionName")}
    cloudformation.update_stack(StackName=one.name, TemplateBody=template(**kept))
    cloudformation.get_waiter("stack_update_complete").wait(StackName=one.name, WaiterConfig={"Delay": 1})
    (made,) = one.functions.list_event_source_mappings(FunctionName=one.name)["EventSourceMappings"]
    assert (made["State"], made["BatchSize"], made.get("ScalingConfig")) == ("Enabled", 10, None)


def test_the_functions_role_reads_the_queue(client: Client, line: Callable[..., Line]) -> None:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    iam = client("iam")
    role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps({"Statement": [statement]}))["Role"]
    one = line()
    one.functions.update_function_configuration(FunctionName=one.name, Role=role["Arn"])
    with pytest.raises(ClientError, match="role does not have permissions to call ReceiveMessage on SQS"):
        one.map()

    def allow(*actions: str) -> None:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": one.arn(one.queue)}
        iam.put_role_policy(RoleName="reader", PolicyName="p", PolicyDocument=json.dumps({"Statement": [statement]}))

    allow("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    mapping = one.map()
    allow("sqs:ReceiveMessage", "sqs:GetQueueAttributes")
    one.send("waits")

    def result() -> str:
        return str(one.functions.get_event_source_mapping(UUID=mapping["UUID"])["LastProcessingResult"])

    eventually(lambda: "does not have permissions to call DeleteMessage" in result())
    assert one.batches() == []

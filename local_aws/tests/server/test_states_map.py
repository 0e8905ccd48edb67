"""Distributed Map under JSONata: children are executions one can watch."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from local_aws.tests.server.machines import Machines, eventually

GREET = {"Type": "Pass", "Output": "{% 'hello ' & $states.input.name & $states.input.release %}", "Next": "Check"}
CHECK = {
    "Type": "Choice",
    "Choices": [{"Condition": "{% $contains($states.input, 'bad') %}", "Next": "Refuse"}],
    "Default": "Fine",
}
STATES = {
    "Greet": GREET,
    "Check": CHECK,
    "Refuse": {"Type": "Fail", "Error": "BadItem", "Cause": "{% $states.input %}"},
    "Fine": {"Type": "Succeed"},
}


def each(**state: Any) -> dict[str, Any]:
    """A machine that greets every item and ends with the count and the greetings."""
    greet_all = {
        "Type": "Map",
        "Label": "GreetAll",
        "ItemSelector": {"name": "{% $states.context.Map.Item.Value.name %}", "release": "{% $release %}"},
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Greet",
            "States": STATES,
        },
        "Assign": {"count": "{% $count($states.result) %}"},
        "Output": {"greetings": "{% $states.result %}"},
        "Next": "Done",
        **state,
    }
    return {
        "Set": {"Type": "Pass", "Assign": {"release": "-r1"}, "Next": "GreetAll"},
        "GreetAll": greet_all,
        "Done": {"Type": "Succeed", "Output": {"count": "{% $count %}", "greetings": "{% $states.input.greetings %}"}},
        **({"Caught": {"Type": "Succeed", "Output": "{% $error %}"}} if "Catch" in state else {}),
    }


def people(*names: str) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


@pytest.fixture
def items_key(client: Callable[..., Any], bucket: str) -> str:
    client("s3").put_object(Bucket=bucket, Key="items.json", Body=json.dumps(people("a", "b", "c")))
    return "items.json"


def test_items_come_from_an_object(machines: Machines, bucket: str, items_key: str) -> None:
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Arguments": {"Bucket": bucket, "Key": "{% $states.input.key %}"},
    }
    output = machines.output(each(ItemReader=reader, MaxConcurrency=2), {"key": items_key})
    assert output == {"count": 3, "greetings": ["hello a-r1", "hello b-r1", "hello c-r1"]}


def test_a_missing_object_is_the_readers_error(machines: Machines, bucket: str) -> None:
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Arguments": {"Bucket": bucket, "Key": "no/such/items.json"},
    }
    assert machines.run(each(ItemReader=reader))["error"] == "States.ItemReaderFailed"


def test_one_failure_fails_the_map_and_can_be_caught(machines: Machines) -> None:
    catch = [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "Next": "Caught"}]
    catch[0]["Assign"] = {"error": "{% $states.errorOutput.Error %}"}
    states = each(Items=people("a", "bad"), Catch=catch)
    assert machines.output(states) == "States.ExceedToleratedFailureThreshold"


def test_tolerated_failures_leave_the_results_of_the_others(machines: Machines) -> None:
    output = machines.output(each(Items=people("a", "bad", "c"), ToleratedFailurePercentage=50))
    assert output == {"count": 2, "greetings": ["hello a-r1", "hello c-r1"]}


def test_too_many_failures_are_not_tolerated(machines: Machines) -> None:
    done = machines.run(each(Items=people("bad1", "bad2", "c"), ToleratedFailurePercentage="{% 20 + 20 %}"))
    assert done["error"] == "States.ExceedToleratedFailureThreshold"


def test_children_are_executions_with_a_history(machines: Machines) -> None:
    arn = machines.start(each(Items=people("a", "bad"), ToleratedFailurePercentage=90))
    machines.wait(arn)
    (run,) = machines.client.list_map_runs(executionArn=arn)["mapRuns"]
    described = machines.client.describe_map_run(mapRunArn=run["mapRunArn"])
    assert described["status"] == "SUCCEEDED"
    assert described["itemCounts"]["succeeded"] == described["itemCounts"]["failed"] == 1
    children = machines.client.list_executions(mapRunArn=run["mapRunArn"])["executions"]
    by_status = {child["status"]: child["executionArn"] for child in children}
    assert machines.entered(by_status["SUCCEEDED"]) == ["Greet", "Check", "Fine"]
    assert machines.entered(by_status["FAILED"]) == ["Greet", "Check", "Refuse"]
    failed = machines.client.describe_execution(executionArn=by_status["FAILED"])
    assert (failed["error"], failed["cause"]) == ("BadItem", "hello bad-r1")
    assert "MapRunStarted" in [event["type"] for event in machines.events(arn)]


def test_children_do_not_see_outer_variables(machines: Machines) -> None:
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Look",
        "States": {"Look": {"Type": "Pass", "Output": "{% $exists($release) %}", "End": True}},
    }
    assert machines.output(each(Items=people("a"), ItemProcessor=processor))["greetings"] == [False]


def test_redriving_runs_only_what_has_not_succeeded(
    machines: Machines, client: Callable[..., Any], bucket: str
) -> None:
    read = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Arguments": {"Bucket": bucket, "Key": "{% 'parts/' & $states.input.name %}"},
        "Output": "{% $states.result.Body %}",
        "End": True,
    }
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Read",
        "States": {"Read": read},
    }
    client("s3").put_object(Bucket=bucket, Key="parts/a", Body="A")
    arn = machines.start(each(Items=people("a", "b"), MaxConcurrency=1, ItemProcessor=processor))
    assert machines.wait(arn)["status"] == "FAILED"
    client("s3").put_object(Bucket=bucket, Key="parts/b", Body="B")
    machines.client.redrive_execution(executionArn=arn)
    assert json.loads(machines.wait(arn)["output"]) == {"count": 2, "greetings": ["A", "B"]}
    (run,) = machines.client.list_map_runs(executionArn=arn)["mapRuns"]
    assert len(machines.client.list_executions(mapRunArn=run["mapRunArn"])["executions"]) == 3


def test_stopping_the_parent_aborts_its_children(machines: Machines) -> None:
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Sleep",
        "States": {"Sleep": {"Type": "Wait", "Seconds": 60, "End": True}},
    }
    arn = machines.start(each(Items=people("a", "b"), ItemProcessor=processor))
    (run,) = eventually(lambda: machines.client.list_map_runs(executionArn=arn)["mapRuns"])

    def children(status: str) -> bool:
        found = machines.client.list_executions(mapRunArn=run["mapRunArn"])["executions"]
        return [child["status"] for child in found] == [status] * 2

    eventually(lambda: children("RUNNING"))
    machines.client.stop_execution(executionArn=arn)
    eventually(lambda: children("ABORTED"))
    assert machines.client.describe_map_run(mapRunArn=run["mapRunArn"])["status"] == "ABORTED"

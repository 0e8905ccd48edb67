"""States one at a time: outputs, errors, retries, time-outs, limits. Real ASL on the real server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_aws.tests.server.machines import Machines


def test_succeed_output_is_evaluated(machines: Machines) -> None:
    states = {"Done": {"Type": "Succeed", "Output": {"double": "{% $states.input.n * 2 %}"}}}
    assert machines.output(states, {"n": 21}) == {"double": 42}


def test_fail_error_and_cause_are_evaluated(machines: Machines) -> None:
    states = {"End": {"Type": "Fail", "Error": "{% $states.input.e %}", "Cause": "{% 'because ' & $states.input.e %}"}}
    done = machines.run(states, {"e": "Sorry"})
    assert (done["status"], done["error"], done["cause"]) == ("FAILED", "Sorry", "because Sorry")
    assert "output" not in done


def test_default_choice_has_an_output(machines: Machines) -> None:
    states = {
        "Choose": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% false %}", "Next": "A"}],
            "Default": "B",
            "Output": 7,
        },
        "A": {"Type": "Fail"},
        "B": {"Type": "Succeed"},
    }
    assert machines.output(states) == 7


def test_redrive_and_retry_counts_are_in_the_context(machines: Machines) -> None:
    counts = "{% [$states.context.Execution.RedriveCount, $states.context.State.RetryCount] %}"
    assert machines.output({"Look": {"Type": "Pass", "Output": counts, "End": True}}) == [0, 0]


def test_parallel_branches_keep_their_variables_apart(machines: Machines) -> None:
    def branch(name: str) -> dict[str, Any]:
        pause = {"Type": "Wait", "Seconds": 0, "Next": "Read"}
        read = {"Type": "Pass", "Output": "{% $own & $states.input.shared %}", "End": True}
        return {
            "StartAt": "Set",
            "States": {"Set": {"Type": "Pass", "Assign": {"own": name}, "Next": "Rest"}, "Rest": pause, "Read": read},
        }

    states = {
        "Both": {
            "Type": "Parallel",
            "Arguments": {"shared": "{% '-' & $states.input.x %}"},
            "Branches": [branch("a"), branch("b")],
            "Assign": {"results": "{% $states.result %}"},
            "Output": "{% $join($states.result, ',') %}",
            "Next": "Done",
        },
        "Done": {"Type": "Succeed", "Output": {"joined": "{% $states.input %}", "results": "{% $results %}"}},
    }
    assert machines.output(states, {"x": "1"}) == {"joined": "a-1,b-1", "results": ["a-1", "b-1"]}


def test_machine_times_out(machines: Machines) -> None:
    arn = machines.start({"Sleep": {"Type": "Wait", "Seconds": 60, "End": True}}, TimeoutSeconds=1)
    assert machines.wait(arn)["status"] == "TIMED_OUT"
    assert machines.events(arn)[-1]["type"] == "ExecutionTimedOut"


def test_stopping_wakes_a_waiting_execution(machines: Machines) -> None:
    arn = machines.start({"Sleep": {"Type": "Wait", "Seconds": 60, "End": True}})
    machines.client.stop_execution(executionArn=arn, error="Enough", cause="asked")
    done = machines.wait(arn)
    assert (done["status"], done["error"], done["cause"]) == ("ABORTED", "Enough", "asked")


def test_payload_over_256_kib_is_refused(machines: Machines) -> None:
    # Cheap to evaluate: MiniStack gives an expression one second, and a busy machine needs longer for a long loop.
    doubled = "$x := $x & $x; "
    grow = f"{{% ($x := 'x'; {doubled * 19}$x) %}}"
    done = machines.run(
        {
            "Grow": {"Type": "Pass", "Output": grow, "Next": "Done"},
            "Done": {"Type": "Succeed"},
        }
    )
    assert (done["status"], done["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_input_over_256_kib_is_refused(machines: Machines) -> None:
    arn = machines.create({"Done": {"Type": "Succeed"}})
    with pytest.raises(machines.client.exceptions.InvalidExecutionInput):
        machines.client.start_execution(stateMachineArn=arn, input=json.dumps("x" * 300_000))


def test_a_next_that_does_not_exist_is_refused(machines: Machines) -> None:
    with pytest.raises(machines.client.exceptions.InvalidDefinition, match="Nowhere"):
        machines.create({"Go": {"Type": "Pass", "Next": "Nowhere"}})


def test_same_name_and_input_while_running_is_the_same_execution(machines: Machines) -> None:
    arn = machines.create({"Sleep": {"Type": "Wait", "Seconds": 60, "End": True}})
    request = {"stateMachineArn": arn, "name": "once", "input": '{"a": 1}'}
    first = machines.client.start_execution(**request)
    assert machines.client.start_execution(**request)["executionArn"] == first["executionArn"]
    with pytest.raises(machines.client.exceptions.ExecutionAlreadyExists):
        machines.client.start_execution(**{**request, "input": '{"a": 2}'})
    machines.client.stop_execution(executionArn=first["executionArn"])
    with pytest.raises(machines.client.exceptions.ExecutionAlreadyExists):
        machines.client.start_execution(**request)


def test_retry_waits_no_longer_than_its_maximum(machines: Machines) -> None:
    missing = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Arguments": {"Bucket": "no-such-bucket-here", "Key": "k"},
        "Retry": [
            {
                "ErrorEquals": ["S3.NoSuchBucketException"],
                "IntervalSeconds": 60,
                "MaxDelaySeconds": 1,
                "MaxAttempts": 2,
                "JitterStrategy": "FULL",
            }
        ],
        "End": True,
    }
    arn = machines.start({"Read": missing})  # without the maximum it would outlast what `wait` allows
    assert machines.wait(arn)["error"] == "S3.NoSuchBucketException"
    assert sum(event["type"] == "TaskFailed" for event in machines.events(arn)) == 3


def test_runtime_errors_are_not_caught(machines: Machines) -> None:
    states = {
        "Call": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:sagemaker:flyToTheMoon",
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}],
            "End": True,
        },
        "Caught": {"Type": "Succeed"},
    }
    done = machines.run(states)
    assert (done["status"], done["error"]) == ("FAILED", "States.Runtime")
    assert "flyToTheMoon" in done["cause"]


def test_get_object_body_is_text(machines: Machines, client: Any, bucket: str) -> None:
    client("s3").put_object(Bucket=bucket, Key="outcome.json", Body='{"status": "ok"}', Metadata={"by": "test"})
    read = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Arguments": {"Bucket": bucket, "Key": "outcome.json"},
        "Output": {"body": "{% $parse($states.result.Body) %}", "meta": "{% $states.result.Metadata %}"},
        "End": True,
    }
    assert machines.output({"Read": read}) == {"body": {"status": "ok"}, "meta": {"by": "test"}}


def test_a_missing_object_has_its_name(machines: Machines, bucket: str) -> None:
    read = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Arguments": {"Bucket": bucket, "Key": "missing"},
        "End": True,
    }
    assert machines.run({"Read": read})["error"] == "S3.NoSuchKeyException"


def test_redrive_goes_on_where_it_failed(machines: Machines, client: Any, bucket: str) -> None:
    read = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Arguments": {"Bucket": bucket, "Key": "{% $key %}"},
        "Output": "{% $states.result.Body & $string($states.context.Execution.RedriveCount) %}",
        "End": True,
    }
    arn = machines.start({"Set": {"Type": "Pass", "Assign": {"key": "late.txt"}, "Next": "Read"}, "Read": read})
    failed = machines.wait(arn)
    assert (failed["status"], failed["redriveStatus"]) == ("FAILED", "REDRIVABLE")
    client("s3").put_object(Bucket=bucket, Key="late.txt", Body="here")
    machines.client.redrive_execution(executionArn=arn)
    done = machines.wait(arn)
    assert (done["status"], done["output"], done["redriveCount"]) == ("SUCCEEDED", '"here1"', 1)
    assert machines.entered(arn) == ["Set", "Read", "Read"]


def test_a_succeeded_execution_is_not_redriven(machines: Machines) -> None:
    arn = machines.start({"Done": {"Type": "Succeed"}})
    machines.wait(arn)
    with pytest.raises(machines.client.exceptions.ExecutionNotRedrivable):
        machines.client.redrive_execution(executionArn=arn)

"""Every way in which a state can fail is told as sentences: no JSON, no traceback, no ARN, and a next step.

The walk takes the machines as they are, so that a new state, job or exception is walked as soon as it is there.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tenant_experience.release import cause, failure, failure_email
from tenant_experience.release.failure import EXCEEDED, Failure
from tests.support.places import ROOT

EVENT: dict[str, Any] = json.loads((ROOT / "events" / "notify_failure.json").read_text())["detail"]
MACHINES = sorted((ROOT / "statemachine").glob("*.asl.json"))
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/j"
TRACEBACK = f'Traceback (most recent call last):\n  File "/var/task/app.py", line 3, in handler\nKeyError: {ARN}'
RUN = "https://api.example/v1/runs/r?signature=s"
JOB_KINDS = ("ProcessingJob", "TrainingJob", "HyperParameterTuningJob", "TransformJob")
BY_STATES = (
    "States.Timeout",
    "States.Runtime",
    "States.Permissions",
    "States.QueryEvaluationError",
    "Sfn.SfnException",
)
BY_LAMBDA = (
    *("Lambda.Unknown", "Lambda.ServiceException", "Lambda.TooManyRequestsException", "Sandbox.Timedout"),
    *("Runtime.ImportModuleError", "Runtime.ExitError", "KeyError", "ClientError", "ReadTimeoutError", "MemoryError"),
)
# What tells a reader to do something, or that nothing is to be done.
STEP = re.compile(r"[Uu]pload|redrive|scored again|stay in the registry|starts the batch again")


def states(machine: Any, inside: str = "") -> Iterator[tuple[str, Any]]:
    """Every state with its name; those inside a map too."""
    for name, state in machine["States"].items():
        yield inside or name, state
        if "ItemProcessor" in state:
            yield from states(state["ItemProcessor"], name)


def exceptions() -> set[str]:
    """The name of every exception class that a function can raise, of its own or of the package."""
    files = [*(ROOT / "functions").glob("*/*.py"), *(ROOT / "src/tenant_experience").rglob("*.py")]
    found = {node.name for file in files for node in ast.walk(ast.parse(file.read_text())) if is_exception(node)}
    return found - {"TenantExperienceError"}


def is_exception(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and node.name.endswith("Error") and bool(node.bases)


def raised(name: str, message: str) -> str:
    return json.dumps({"errorType": name, "errorMessage": message, "stackTrace": [TRACEBACK, '  File "x.py"']})


def described(kind: str, status: str, **more: Any) -> str:
    """A job as Step Functions' cause describes it."""
    return json.dumps({f"{kind}Name": f"te-r-{kind}-0", f"{kind}Arn": ARN, f"{kind}Status": status, **more})


def job_causes(kind: str) -> Iterator[str]:
    counters = {"Completed": 0, "NonRetryableError": 4}
    for status in ("Failed", "Stopped"):
        yield described(kind, status)
        yield described(kind, status, FailureReason=f"AlgorithmError: {TRACEBACK}", TrainingJobStatusCounters=counters)
        yield described(kind, status, ExitMessage=f'see {ARN}: {{"code": 1}}', Tags=[{"Key": "project"}])
        yield described(kind, status, FailureReason="x" * 40_000)[:32_768]  # a cause is cut there
    yield f'{{"{kind}Name": "j", "Tags": [{{'


def failures(state: Any) -> Iterator[tuple[str, str]]:
    """Every error that a state can end with, with every kind of cause that it can have."""
    if state["Type"] == "Fail":
        for error in re.findall(r"\b[A-Z]\w+Error\b|^[A-Z]\w+$", state["Error"]):
            yield from ((error, text) for text in ("A sentence.", TRACEBACK, f"see {ARN}", '{"a": [1]}', "[1]", ""))
        return
    named = [error for each in (*state.get("Retry", []), *state.get("Catch", [])) for error in each["ErrorEquals"]]
    yield from ((error, text) for error in (*named, *BY_STATES) for text in ("", f"about {ARN}", '{"a": "b"}'))
    resource = state.get("Resource", "")
    for kind in JOB_KINDS:
        if f"create{kind}" in resource:
            yield from (("States.TaskFailed", text) for text in job_causes(kind))
    if "lambda:invoke" in resource:
        for error in sorted({*BY_LAMBDA, *exceptions()}):
            for message in (f"{error}: some_code: the object {ARN} is missing", TRACEBACK, '{"a": 1}', ""):
                yield error, raised(error, message)
    if state["Type"] == "Map":
        yield EXCEEDED, "The specified tolerated failure threshold was exceeded"
        yield "States.ItemReaderFailed", f"Attempting to read {ARN}"


def written(name: str, error: str, text: str) -> tuple[str, str, str]:
    """Subject, main part and operator's part of the e-mail."""
    detail = {**EVENT, "error": error, "cause": text}
    shards = [Failure(error, text, 3)] if error == EXCEEDED else []
    subject, whole = failure_email.write(detail, shards, last_state=name, run_page=RUN)
    main, _, operator = whole.partition(failure_email.OPERATOR)
    return subject, main, operator


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.name.partition(".")[0])
def test_every_failure_of_every_state_is_told_in_sentences(path: Path) -> None:
    walked = 0
    for name, state in states(json.loads(path.read_text())):
        if state["Type"] not in ("Task", "Map", "Fail"):
            continue
        for error, text in failures(state):
            subject, main, operator = written(name, error, text)
            found = f"{name}: {error}: {text[:200]}\n{subject}\n{main}{operator}"
            told = operator.replace(EVENT["executionArn"], "")
            for part in (subject, main, told):
                assert not re.search(r'arn:|\{\s*"|\["|stackTrace|Traceback|File "|\[\{', part), found
            assert not re.search(r"\w+\.\w+Exception|States\.|\bNone\b", subject + main), found
            happened, rest = main.split("What happened\n")[1].split("What to do next\n")
            next_step = rest.partition("\n\n")[0]
            assert re.match(r"[A-Z'(].*\S", happened.strip(), re.DOTALL), found
            assert STEP.search(next_step), found
            assert RUN in main, found
            walked += 1
    assert walked > 100


def test_the_walk_knows_every_kind_of_job_and_every_exception_of_a_function() -> None:
    resources = json.dumps([json.loads(path.read_text()) for path in MACHINES])
    used = set(re.findall(r"create(\w+Job)\.sync", resources))
    assert used <= set(JOB_KINDS)
    assert used <= set(failure._LOGS)
    assert {"ApproverNotSubscribedError", "ReleaseSupersededError", "ModelDiffersError"} <= exceptions()
    assert "EndpointNotReadyError" in exceptions()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A sentence.", "A sentence."),
        (f"not authorized on {ARN}, ask", "not authorized on training-job/j, ask"),
        (TRACEBACK, "KeyError: training-job/j"),
        ('before {"a": 1}', "before (not shown here; it is in the execution's history)"),
        ("[1]", "(not shown here; it is in the execution's history)"),
        ('File "x"', "(not shown here; it is in the execution's history)"),
        ("column {a} and [b]", "column {a} and [b]"),
        ("", ""),
    ],
)
def test_a_cause_becomes_one_line(text: str, said: str) -> None:
    assert cause.line(text) == said


def test_a_job_whose_description_was_cut_is_still_named() -> None:
    text = described("HyperParameterTuningJob", "Failed", FailureReason="No training job succeeded", Tags=["x" * 99])
    cut = Failure("States.TaskFailed", text[:-50])
    assert cut.sentence == "The job that tunes the model failed."
    assert cut.details[1] == "Job: te-r-HyperParameterTuningJob-0 is Failed: No training job succeeded"

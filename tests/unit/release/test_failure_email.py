from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from tenant_experience.data_quality.gates import BrokenGate, check_comparison_gates
from tenant_experience.errors import UserError
from tenant_experience.release import failure_email
from tenant_experience.release.failure import EXCEEDED, Failure
from tests.support.places import ROOT

EVENT: dict[str, Any] = json.loads((ROOT / "events" / "notify_failure.json").read_text())["detail"]
MACHINES = [
    json.loads((ROOT / "statemachine" / name).read_text())
    for name in ("train_and_release.asl.json", "roll_back.asl.json", "score_batch.asl.json")
]
BATCH = "raw/tenant_experience/november/"
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/j"
# Of Step Functions and Lambda themselves: no state of the machine has to name them.
BY_AWS = [
    "States.TaskFailed",
    "States.Timeout",
    "States.HeartbeatTimeout",
    "States.Runtime",
    "States.Permissions",
    "States.QueryEvaluationError",
    "States.DataLimitExceeded",
    "States.ServiceRestart",
    EXCEEDED,
    "Runtime.ImportModuleError",
    "Runtime.ExitError",
    "KeyError",
    "Sfn.SfnException",
    "",
]


def errors_of(value: Any) -> Iterator[str]:
    """The names in every Retry, Catch and Fail state; of an expression, each text in it that is a name."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "ErrorEquals":
                yield from inner
            elif key == "Error":
                yield from re.findall(r"\b[A-Z]\w+Error\b|^[A-Z]\w+$", inner)
            else:
                yield from errors_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from errors_of(inner)


ERRORS = sorted({*errors_of(MACHINES), *BY_AWS, "CountsDiffer.counts_differ"})


def job(kind: str, name: str, **more: Any) -> str:
    description = {f"{kind}Name": name, f"{kind}Arn": ARN, f"{kind}Status": "Failed", "Tags": [{"Key": "x"}], **more}
    return json.dumps(description)


CAUSES = {
    "nothing": None,
    "a sentence": "The step did not end within 60 seconds",
    "an ARN": f"User: {ARN} is not authorized to perform: states:X on resource: {ARN} (Status Code: 403)",
    "an exception": json.dumps({"errorType": "KeyError", "errorMessage": f"'{ARN}'", "stackTrace": ["f.py"]}),
    "an error of ours": json.dumps(
        {"errorType": "PlatformError", "errorMessage": f"PlatformError: not_found: object {ARN} is missing"}
    ),
    "a processing job": job("ProcessingJob", "te-r-build-features-0-0", ExitMessage="ExitCode 1"),
    "a training job": job("TrainingJob", "te-r-train-model-3-0-0", FailureReason="Killed"),
    "a tuning job": job(
        "HyperParameterTuningJob",
        "te-abc-0-0",
        FailureReason="No training job succeeded",
        TrainingJobStatusCounters={"Completed": 0, "NonRetryableError": 4},
    ),
    "a list": "[1]",
    "broken JSON": '{"TrainingJobName": "j"',
}


def parts(text: str) -> tuple[str, str]:
    main, _, operator = text.partition(failure_email.OPERATOR)
    return main, operator


def test_every_error_of_the_machine_is_walked() -> None:
    for name in ("UserError", "AlgorithmError", "ReleaseRejected", "ApprovalExpired", "ReleaseSuperseded"):
        assert name in ERRORS
    assert {"SageMaker.ResourceLimitExceededException", "Sandbox.Timedout", "PlatformError"} <= set(ERRORS)


@pytest.mark.parametrize("cause", CAUSES.values(), ids=CAUSES)
@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_every_failure_is_a_sentence_about_a_batch_and_says_what_to_do(status: str, cause: str | None) -> None:
    for error in ERRORS:
        detail = {**EVENT, "status": status, "error": error or None, "cause": cause}
        shards = [Failure(error or status, cause or "", 3)] if error == EXCEEDED else []
        subject, text = failure_email.write(detail, shards)
        main, operator = parts(text)
        assert BATCH in main
        assert "20 November 2026, 10:03 UTC" in main
        assert not re.search(r'[{}\[\]"]|arn:|None|\w+\.\w+Exception|States\.|Error\b', main), main
        happened, what_next = main.split("What happened\n")[1].split("What to do next\n")
        for sentence in (happened.strip(), what_next.strip()):
            assert re.fullmatch(r"[A-Z'].*[.)]", sentence, re.DOTALL), sentence
        assert any(words in what_next for words in ("pload", "redrives", "stay in the registry"))
        assert error in operator
        assert EVENT["executionArn"] in operator
        assert re.fullmatch(r"Release 20261120-3f9a2c1: [a-zA-Z' -]+ \(batch november\)", subject), subject


def test_a_sentence_may_name_what_is_to_be_written_into_the_manifest() -> None:
    broken = [BrokenGate("null_share", "40% of x is null"), BrokenGate("feature_shift", "x has shifted")]
    with pytest.raises(UserError) as refused:
        check_comparison_gates(broken, (), list)
    subject, text = failure_email.write({**EVENT, "error": "UserError.null_share", "cause": refused.value.message})
    assert "its data cannot be used" in subject
    assert 'upload the batch again with "accept": ["null_share", "feature_shift"] in manifest.json' in text


def test_a_user_error_names_file_and_column_and_what_to_do() -> None:
    subject, text = failure_email.write(EVENT)
    main, operator = parts(text)
    assert subject == "Release 20261120-3f9a2c1: its data cannot be used (batch november)"
    assert "\nmessages.csv has no column tenant_id.\n" in main
    assert "upload it as a new batch" in main
    assert "Error: UserError.missing_column" in operator
    assert "redrive" not in text


@pytest.mark.parametrize(
    ("cause", "sentence", "details"),
    [
        (
            "a training job",
            "The job that trains the model failed (shard 3).",
            ["Job: te-r-train-model-3-0-0 is Failed: Killed", "Log: group /aws/sagemaker/TrainingJobs, streams"],
        ),
        (
            "a tuning job",
            "The job that tunes the model failed (shard 3).",
            [
                "Job: te-abc-0-0 is Failed: No training job succeeded",
                "Its training jobs: Completed 0, NonRetryableError 4",
            ],
        ),
        (
            "a processing job",
            "The job that computes the features failed (shard 3).",
            ["Job: te-r-build-features-0-0 is Failed: ExitCode 1", "Log: group /aws/sagemaker/ProcessingJobs, streams"],
        ),
    ],
)
def test_a_failed_job_of_a_shard_is_named_with_its_log(cause: str, sentence: str, details: list[str]) -> None:
    detail = {**EVENT, "error": EXCEEDED, "cause": "The specified tolerated failure threshold was exceeded"}
    subject, text = failure_email.write(detail, [Failure("States.TaskFailed", str(CAUSES[cause]), 3)])
    main, operator = parts(text)
    assert subject == "Release 20261120-3f9a2c1: a job failed (batch november)"
    assert sentence in main
    assert "threshold" not in main
    assert "Shard: 3" in operator
    for line in details:
        assert line in operator
    assert "Tags" not in text
    assert f"aws stepfunctions redrive-execution --execution-arn {EVENT['executionArn']}" in operator


def test_three_of_many_failed_shards_are_told_and_the_others_counted() -> None:
    failures = [Failure("States.TaskFailed", job("TrainingJob", f"j-train-model-{n}"), n) for n in range(5)]
    main, operator = parts(failure_email.write({**EVENT, "error": EXCEEDED}, failures)[1])
    assert [f"(shard {n})" in main for n in range(5)] == [True, True, True, False, False]
    assert "2 more shards failed too." in main
    assert "j-train-model-2 is" in operator


def test_a_function_that_raised_is_told_to_the_operator_by_its_message() -> None:
    cause = json.dumps({"errorType": "PlatformError", "errorMessage": "smoke test", "stackTrace": ["..."]})
    main, operator = parts(failure_email.write({**EVENT, "error": "PlatformError", "cause": cause})[1])
    assert "One of its functions failed." in main
    assert "PlatformError: smoke test" in operator
    assert "stackTrace" not in operator


def test_a_superseded_release_says_so_without_its_class_and_code() -> None:
    message = "ReleaseSupersededError: superseded: release a began before the live release b"
    cause = json.dumps({"errorType": "ReleaseSupersededError", "errorMessage": message})
    main, _ = parts(failure_email.write({**EVENT, "error": "ReleaseSuperseded", "cause": cause})[1])
    assert "What happened\nRelease a began before the live release b.\n" in main
    assert "The live models were not changed" not in main


def test_an_e_mail_that_was_not_sent_does_not_deny_what_was_done() -> None:
    """The release is live; or nothing was trained, and the live models answer for the records of its batch."""
    main, _ = parts(failure_email.write({**EVENT, "error": "SNS.ThrottledException", "cause": "slow"})[1])
    assert main.startswith("Release 20261120-3f9a2c1 is done, but its e-mail was not sent.")
    assert "not changed" not in main


def test_recorded_history_is_not_called_a_release() -> None:
    given = json.dumps({"use_case": "tenant_experience", "batch": "november", "history_only": True})
    assert failure_email.write({**EVENT, "input": given})[1].startswith("History 20261120-3f9a2c1 was not recorded: ")


@pytest.mark.parametrize("given", [None, "", "[]", "{", '{"batch": 1}'])
def test_an_input_that_is_not_there_or_strange_does_not_prevent_the_mail(given: str | None) -> None:
    assert "batch           unknown; see the execution's input" in failure_email.write({**EVENT, "input": given})[1]


def test_a_refused_batch_is_named_with_its_folder_and_what_to_do() -> None:
    subject, text = failure_email.write_refusal(BATCH, "there is no use case x", "unknown_use_case")
    main, operator = parts(text)
    assert subject == "Batch november was refused"
    assert BATCH in main
    assert "unknown_use_case" not in main
    assert "upload it as a new batch" in main
    assert "unknown_use_case" in operator


def test_a_name_in_the_cause_is_no_link() -> None:
    main, _ = parts(
        failure_email.write({**EVENT, "cause": "partition http://evil.example\u202e: messages.csv has no rows"})[1]
    )
    assert "http[:]//evil[.]example" in main
    assert "\u202e" not in main


def test_a_model_that_is_not_the_registered_one_is_told_in_the_exceptions_own_words() -> None:
    said = "the model models/all/r1/model.tar.gz in the bucket data is not the one that was registered: x. Find out who"
    cause = json.dumps({"errorType": "ModelDiffersError", "errorMessage": f"ModelDiffersError: model_differs: {said}"})
    subject, text = failure_email.write({**EVENT, "error": "ModelDiffersError", "cause": cause})
    assert "a model is not the one that was registered" in subject
    assert f"T{said[1:]}." in text
    assert "The live models were not changed." in text
    assert "redrive-execution" in text


def scoring(error: str, cause: str = "Reason.", **given: str) -> tuple[str, str]:
    known = {"run": "20261129-abcdef0", "use_case": "homes", "batch": "b1", "kind": "batch", "key": "", **given}
    detail = EVENT | {"name": known["run"], "error": error, "cause": cause, "input": json.dumps(known)}
    return failure_email.write(detail)


@pytest.mark.parametrize(
    ("given", "where", "advice"),
    [
        ({}, "score/homes/b1/", "upload it as a new batch below score/"),
        ({"key": "inference/homes/f.csv"}, "inference/homes/f.csv", "upload it again under its key"),
        (
            {"kind": "live", "batch": "nightly-2026-11-29"},
            "nightly-2026-11-29: everybody whose features are live",
            "Everybody is scored again after the next release",
        ),
    ],
)
def test_a_refused_scoring_run_names_its_rows_and_what_to_do(given: dict[str, str], where: str, advice: str) -> None:
    subject, text = scoring("UserError.missing_features", **given)
    assert subject.startswith("Scoring 20261129-abcdef0: its data cannot be used (batch ")
    assert re.search(rf"^  batch +{re.escape(where)}$", text, re.MULTILINE)
    assert advice in text.partition("What to do next")[2]


@pytest.mark.parametrize("error", ["SNS.SdkClientException", "EventBridge.EventBridgeException"])
def test_answers_that_were_kept_but_not_told_of_are_not_denied(error: str) -> None:
    _, text = scoring(error)
    assert text.startswith("Scoring 20261129-abcdef0 is done, but ")
    assert "All answers are kept" in text
    assert "Its models answer" not in text


def test_a_failed_batch_transform_is_named_with_its_log() -> None:
    name = "tenant-experience-20261129-abcdef0-all-0-0-0"
    _, text = scoring("States.TaskFailed", job("TransformJob", name, FailureReason="ClientError: 400"))
    assert "The job that asks a model about its rows failed." in text
    assert f"Job: {name} is Failed: ClientError: 400" in text
    assert f"Log: group /aws/sagemaker/TransformJobs, streams that begin with {name}" in text


@pytest.mark.parametrize("cause", CAUSES.values(), ids=CAUSES)
def test_every_failure_of_a_scoring_run_is_in_words_and_says_what_to_do(cause: str | None) -> None:
    for error, kind in product(ERRORS, ("batch", "live")):
        subject, text = scoring(error, cause or "", kind=kind)
        main, operator = parts(text)
        assert "Its models answer" not in main
        assert not re.search(r'[{}\[\]"]|arn:|None|\w+\.\w+Exception|States\.|Error\b', main), main
        assert any(
            words in main.split("What to do next\n")[1] for words in ("pload", "redrives", "scored again", "stay")
        )
        assert error in operator
        assert re.fullmatch(r"Scoring 20261129-abcdef0: [a-zA-Z' -]+ \(batch b1\)", subject), subject


def test_a_roll_back_that_fails_is_told_as_one() -> None:
    given = {"use_case": "tenant_experience", "to": "r0", "partitions": [], "reason": "a wrong file"}
    detail = {**EVENT, "name": "rb-0123456789abc", "error": "UserError", "input": json.dumps(given)}
    detail["cause"] = json.dumps({"errorType": "UserError", "errorMessage": "what is live is already as it was"})
    subject, text = failure_email.write(detail)
    assert subject == "Roll-back rb-0123456789abc was not taken: it is not possible"
    assert "What is live is already as it was" in text
    assert "asks again with `tenx rollback`" in text
    assert not re.search("batch|[Uu]pload|Scoring", text.partition(failure_email.OPERATOR)[0])

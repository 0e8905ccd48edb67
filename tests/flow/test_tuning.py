"""A release whose hyperparameters are searched: TuneModel stands in for TrainModel, and its best model is judged."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import boto3
import pytest
import yaml

from operations.releases import FinishedRelease
from tests.support.flow import Flow
from tests.support.places import USE_CASE_FOLDER
from tests.support.waiting import until

RELEASE = "tuned-0000001"
TUNING = {
    "enabled": True,
    "jobs": 2,
    "parallel_jobs": 2,
    "ranges": {
        "max_depth": {"kind": "integer", "minimum": 1, "maximum": 4},
        "learning_rate": {"minimum": 0.05, "maximum": 0.3, "scale": "log"},
    },
}


def start(flow: Flow, first: FinishedRelease) -> str:
    """An execution over the batch of an earlier release, by a use case that tunes."""
    settings = yaml.safe_load((USE_CASE_FOLDER / "use_case.yaml").read_text()) | {"tuning": TUNING}
    settings["hyperparameters"] |= {"n_estimators": 40}
    files = {path.relative_to(USE_CASE_FOLDER): path.read_bytes() for path in USE_CASE_FOLDER.rglob("*.*")}
    for name, content in (files | {"use_case.yaml": yaml.safe_dump(settings, sort_keys=False).encode()}).items():
        boto3.client("s3").put_object(Bucket=flow.bucket, Key=f"use_cases/{RELEASE}/{name}", Body=content)
    given = json.loads(first.execution["input"]) | {"release": RELEASE}
    machine = flow.stack.state_machine
    started = boto3.client("stepfunctions").start_execution(
        stateMachineArn=machine, name=RELEASE, input=json.dumps(given)
    )
    return started["executionArn"]


def model_of(flow: Flow) -> dict[str, Any]:
    archive = boto3.client("s3").get_object(Bucket=flow.bucket, Key=f"models/all/{RELEASE}/model.tar.gz")["Body"]
    with tarfile.open(fileobj=io.BytesIO(archive.read())) as packed:
        (name,) = [name for name in packed.getnames() if name.endswith("model.json")]
        manifest = packed.extractfile(name)
        assert manifest is not None
        model: dict[str, Any] = json.load(manifest)
        return model


def jobs(flow: Flow) -> dict[str, str]:
    """Name -> status of every tuning job of the release."""
    listed = boto3.client("sagemaker").list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"]
    prefix = f"{flow.stack.outputs['EndpointName']}-{RELEASE[-7:]}-"
    names = {job["HyperParameterTuningJobName"]: job["HyperParameterTuningJobStatus"] for job in listed}
    return {name.removeprefix(prefix): status for name, status in names.items() if name.startswith(prefix)}


@pytest.mark.slow
def test_a_search_is_stopped_with_its_execution_and_its_best_model_is_judged(
    flow: Flow, first: FinishedRelease
) -> None:
    states, sagemaker = boto3.client("stepfunctions"), boto3.client("sagemaker")
    execution = start(flow, first)
    until(lambda: jobs(flow), "no search begins")
    states.stop_execution(executionArn=execution)
    until(lambda: jobs(flow) == {"0-0": "Stopped"}, "the search goes on without its execution")
    states.redrive_execution(executionArn=execution)

    def is_asked() -> bool:
        assert states.describe_execution(executionArn=execution)["status"] == "RUNNING"
        return flow.mailbox.find(f"Decision needed: release {RELEASE}") is not None

    until(is_asked, "nobody is asked for a decision")
    states.stop_execution(executionArn=execution)
    assert jobs(flow) == {"0-0": "Stopped", "0-5": "Completed"}
    name = f"{flow.stack.outputs['EndpointName']}-{RELEASE[-7:]}-0-5"
    best = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)["BestTrainingJob"]
    trials = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    losses = [trial["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for trial in trials["TrainingJobSummaries"]]
    assert len(losses) == TUNING["jobs"]
    assert best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == min(losses)

    model = model_of(flow)
    assert abs(model["training"]["validation_loss"] - min(losses)) < 1e-6
    tuned = {name: model["hyperparameters"][name] for name in ("max_depth", "learning_rate")}
    assert tuned == {name: json.loads(text) for name, text in best["TunedHyperParameters"].items()}
    assert model["hyperparameters"]["n_estimators"] == 40

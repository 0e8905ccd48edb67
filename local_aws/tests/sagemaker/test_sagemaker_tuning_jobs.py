"""Tuning jobs: the ranges, the search, the training jobs, the ways a tuning job ends."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws.sagemaker import SageMaker, ServiceError
from local_aws.sagemaker.jobs.search_space import read_ranges
from local_aws.sagemaker.jobs.search_strategy import Search, Trial
from local_aws.tests.sagemaker.support import BUCKET, IMAGE_URI, ROLE, wait_for, wait_while


def request(name: str, *, jobs: int = 4, parallel: int = 2, strategy: str = "Random", **static: str) -> dict[str, Any]:
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": strategy,
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": parallel},
            "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "1"}]},
            "RandomSeed": 7,
        },
        "TrainingJobDefinition": {
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE_URI,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+);"}],
            },
            "StaticHyperParameters": {"write_model": "yes", **static},
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/tuning"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        },
    }


def describe(sagemaker: SageMaker, name: str) -> dict[str, Any]:
    return sagemaker.call("DescribeHyperParameterTuningJob", {"HyperParameterTuningJobName": name})


def run(sagemaker: SageMaker, asked: dict[str, Any]) -> dict[str, Any]:
    sagemaker.call("CreateHyperParameterTuningJob", asked)
    name = asked["HyperParameterTuningJobName"]
    return wait_while(lambda: describe(sagemaker, name), "HyperParameterTuningJobStatus", "InProgress", "Stopping")


def trials(sagemaker: SageMaker, name: str, **more: Any) -> list[dict[str, Any]]:
    answer = sagemaker.call(
        "ListTrainingJobsForHyperParameterTuningJob", {"HyperParameterTuningJobName": name, "MaxResults": 100, **more}
    )
    found: list[dict[str, Any]] = answer["TrainingJobSummaries"]
    return found


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_the_best_of_all_is_told(sagemaker: SageMaker, strategy: str) -> None:
    found = run(sagemaker, request("search", jobs=7, parallel=3, strategy=strategy))
    assert found["HyperParameterTuningJobStatus"] == "Completed", found
    assert found["TrainingJobStatusCounters"]["Completed"] == found["ObjectiveStatusCounters"]["Succeeded"] == 7
    by_value = trials(sagemaker, "search", SortBy="FinalObjectiveMetricValue", SortOrder="Ascending")
    values = [each["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for each in by_value]
    assert values == sorted(values)
    assert found["BestTrainingJob"] == by_value[0]
    best = by_value[0]
    assert values[0] == pytest.approx((float(best["TunedHyperParameters"]["x"]) - 0.3) ** 2, abs=1e-5)
    job = sagemaker.call("DescribeTrainingJob", {"TrainingJobName": best["TrainingJobName"]})
    assert job["TuningJobArn"] == found["HyperParameterTuningJobArn"]
    assert job["HyperParameters"]["_tuning_objective_metric"] == "loss"
    assert job["ModelArtifacts"]["S3ModelArtifacts"].endswith(f"{best['TrainingJobName']}/output/model.tar.gz")
    listed = sagemaker.call("ListHyperParameterTuningJobs", {"StatusEquals": "Completed"})
    assert [each["Strategy"] for each in listed["HyperParameterTuningJobSummaries"]] == [strategy]
    sagemaker.call("DeleteHyperParameterTuningJob", {"HyperParameterTuningJobName": "search"})
    with pytest.raises(ServiceError, match="ResourceNotFound"):
        describe(sagemaker, "search")


def test_never_more_at_once_than_allowed_and_a_stop(sagemaker: SageMaker) -> None:
    sagemaker.call("CreateHyperParameterTuningJob", request("long", jobs=9, parallel=2, sleep="30", end_politely="yes"))
    wait_for(lambda: len(trials(sagemaker, "long")) == 2, what="two trials")
    assert describe(sagemaker, "long")["TrainingJobStatusCounters"]["InProgress"] == 2
    sagemaker.call("StopHyperParameterTuningJob", {"HyperParameterTuningJobName": "long"})
    found = wait_while(lambda: describe(sagemaker, "long"), "HyperParameterTuningJobStatus", "InProgress", "Stopping")
    assert found["HyperParameterTuningJobStatus"] == "Stopped"
    assert found["TrainingJobStatusCounters"]["Stopped"] == 2
    with pytest.raises(ServiceError, match="is in status Stopped"):
        sagemaker.call("StopHyperParameterTuningJob", {"HyperParameterTuningJobName": "long"})


def test_it_gives_up_early(sagemaker: SageMaker) -> None:
    found = run(sagemaker, request("hopeless", jobs=50, parallel=5, exit="1"))
    assert found["HyperParameterTuningJobStatus"] == "Failed"
    assert found["FailureReason"].startswith("No training job succeeded after")
    assert len(trials(sagemaker, "hopeless")) < 15
    asked = request("silent", jobs=1)
    asked["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"][0]["Regex"] = "nothing=([0-9.]+)"
    found = run(sagemaker, asked)
    assert found["ObjectiveStatusCounters"]["Failed"] == 1
    assert found["HyperParameterTuningJobStatus"] == "Failed"


def test_a_target_ends_it(sagemaker: SageMaker) -> None:
    asked = request("target", jobs=30, parallel=1)
    asked["HyperParameterTuningJobConfig"]["TuningJobCompletionCriteria"] = {"TargetObjectiveMetricValue": 1.0}
    found = run(sagemaker, asked)
    assert found["HyperParameterTuningJobStatus"] == "Completed"
    assert found["TrainingJobStatusCounters"]["Completed"] == 1


def test_what_is_refused(sagemaker: SageMaker) -> None:
    for change, words in (
        ({"HyperParameterTuningJobName": "n" * 33}, "less than or equal to 32"),
        ({"WarmStartConfig": {"ParentHyperParameterTuningJobs": [{}], "WarmStartType": "TransferLearning"}}, "WarmSt"),
        ({"Autotune": {"Mode": "Enabled"}}, "Autotune"),
    ):
        with pytest.raises(ServiceError, match=words):
            sagemaker.call("CreateHyperParameterTuningJob", request("refused") | change)
    for change, words in (
        ({"Strategy": "Hyperband"}, "Strategy Hyperband"),
        ({"TrainingJobEarlyStoppingType": "Auto"}, "TrainingJobEarlyStoppingType"),
        ({"HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "other"}}, "MetricDefinitions"),
    ):
        asked = request("refused")
        asked["HyperParameterTuningJobConfig"] |= change
        with pytest.raises(ServiceError, match=words):
            sagemaker.call("CreateHyperParameterTuningJob", asked)


def ranges(kind: str, low: str, high: str, scale: str) -> Any:
    given = {"Name": "p", "MinValue": low, "MaxValue": high, "ScalingType": scale}
    return read_ranges({f"{kind}ParameterRanges": [given]})[0]


def test_scales() -> None:
    assert float(ranges("Continuous", "0.001", "10", "Logarithmic").value(0.5)) == pytest.approx(0.1)
    assert float(ranges("Continuous", "0.001", "10", "Auto").value(0.5)) == pytest.approx(0.1)
    assert float(ranges("Continuous", "1", "3", "Auto").value(0.5)) == pytest.approx(2)
    assert float(ranges("Continuous", "0", "0.99", "ReverseLogarithmic").value(0.5)) == pytest.approx(0.9)
    whole = [int(ranges("Integer", "1", "4", "Linear").value(place / 400)) for place in range(401)]
    assert [whole.count(number) for number in range(1, 5)] == pytest.approx([100] * 4, abs=2)
    for kind, low, high, scale in (
        ("Continuous", "0", "1", "Logarithmic"),
        ("Continuous", "0", "1", "ReverseLogarithmic"),
        ("Integer", "0", "0", "ReverseLogarithmic"),
        ("Integer", "2", "1", "Linear"),
        ("Integer", "1.5", "2", "Linear"),
    ):
        with pytest.raises(ServiceError, match="ValidationException"):
            ranges(kind, low, high, scale)


def test_bayesian_learns_where_random_does_not() -> None:
    space = read_ranges(
        {
            "ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "1"}],
            "CategoricalParameterRanges": [{"Name": "c", "Values": ["a", "b", "c"]}],
        }
    )

    def mean_of_the_last(bayesian: bool) -> float:
        total = 0.0
        for seed in range(5):
            search, seen = Search(space, bayesian=bayesian, seed=str(seed)), []
            for _ in range(40):
                point = search.propose(seen)
                loss = (point[0] - 0.3) ** 2 + (0 if space[1].value(point[1]) == "b" else 1)
                seen.append(Trial(point, loss))
            total += sum(trial.loss or 0 for trial in seen[-10:]) / 10
        return total / 5

    assert mean_of_the_last(bayesian=True) < mean_of_the_last(bayesian=False) / 3

"""The search for hyperparameters: what a use case and a manifest may ask for, and what the state machine is told."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import jsonata
import pytest
from pydantic import ValidationError

from tenant_experience.errors import UserError
from tenant_experience.features.partitions import PartitionSize, shards
from tenant_experience.training.tuning_request import check_hyperparameters, wanted_tuning
from tenant_experience.use_case.manifest import parse_manifest
from tenant_experience.use_case.models import Models
from tenant_experience.use_case.schema import UseCase, load_use_case
from tenant_experience.use_case.tuning import Tuning
from tests.support.places import ROOT, USE_CASE_FOLDER

RANGES = {
    "max_depth": {"kind": "integer", "minimum": 2, "maximum": 6},
    "learning_rate": {"minimum": 0.03, "maximum": 0.3, "scale": "log"},
}


@pytest.fixture
def use_case() -> UseCase:
    return load_use_case(USE_CASE_FOLDER).model_copy(update={"tuning": Tuning(ranges=RANGES)})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"enabled": True}, "needs tuning.ranges"),
        ({"jobs": 2, "parallel_jobs": 3}, "more than tuning.jobs"),
        ({"ranges": {"shard": {"minimum": 1, "maximum": 2}}}, "which the state machine sets"),
        ({"ranges": {"max_depth": {"minimum": 3, "maximum": 3}}}, "below maximum"),
        ({"ranges": {"gamma": {"minimum": 0, "maximum": 3, "scale": "log"}}}, "above 0"),
        ({"ranges": {"max_depth": {"kind": "integer", "minimum": 1.5, "maximum": 3}}}, "whole numbers"),
    ],
)
def test_what_cannot_be_searched_is_refused(settings: dict, words: str):
    with pytest.raises(ValidationError, match=words):
        Tuning.model_validate(settings)


def test_the_manifest_decides_and_what_it_sets_is_not_searched(use_case: UseCase):
    assert wanted_tuning(use_case, parse_manifest({})) is None
    enabled = use_case.model_copy(update={"tuning": Tuning(enabled=True, ranges=RANGES)})
    assert wanted_tuning(enabled, parse_manifest({"tuning": False})) is None
    tuning = wanted_tuning(use_case, parse_manifest({"tuning": True, "hyperparameters": {"max_depth": 3}}))
    assert tuning is not None
    assert list(tuning.ranges) == ["learning_rate"]
    with pytest.raises(UserError, match="nothing to search") as refused:
        wanted_tuning(enabled, parse_manifest({"hyperparameters": {"max_depth": 3, "learning_rate": 0.1}}))
    assert refused.value.code == "nothing_to_tune"
    with pytest.raises(UserError, match="'tuning' must be true or false"):
        parse_manifest({"tuning": "yes"})


def test_a_range_that_the_trainer_would_not_take_is_refused_before_any_trial():
    for ranges, code in (
        ({"max_depth": {"kind": "integer", "minimum": 2, "maximum": 60}}, "bad_hyperparameter"),
        ({"leaves": {"minimum": 2, "maximum": 6}}, "unknown_hyperparameter"),
    ):
        with pytest.raises(UserError) as refused:
            check_hyperparameters("xgboost", {"seed": "0"}, Tuning.model_validate({"ranges": ranges}))
        assert refused.value.code == code


def test_a_shard_is_one_model_and_what_is_searched_is_not_fixed_too():
    partitions = {name: PartitionSize(name, name, "local", 5_000, 5_000) for name in ("north", "south")}
    fixed = {"max_depth": "5", "seed": "0"}
    items = shards(partitions, Models(), fixed, Tuning.model_validate({"jobs": 4, "ranges": RANGES}))
    assert [[each.slug for each in item.partitions] for item in items] == [["north"], ["south"]]
    assert {json.dumps(item.hyperparameters) for item in items} == {'{"seed": "0"}'}
    assert asdict(items[0])["tuning"] == {
        "jobs": 4,
        "parallel_jobs": 2,
        "parameter_ranges": {
            "IntegerParameterRanges": [
                {"Name": "max_depth", "MinValue": "2", "MaxValue": "6", "ScalingType": "Linear"}
            ],
            "ContinuousParameterRanges": [
                {"Name": "learning_rate", "MinValue": "0.03", "MaxValue": "0.3", "ScalingType": "Logarithmic"}
            ],
        },
    }
    assert shards(partitions, Models(), fixed)[0].tuning is None


def _evaluated(text: str, **variables: object) -> str:
    expression = jsonata.Jsonata(text.strip("{%} ").replace("${Project}", "p" * 18))
    for name, value in variables.items():
        expression.assign(name, value)
    return str(expression.evaluate({}))


def test_the_longest_name_of_a_tuning_job_fits():
    machine = json.loads((ROOT / "statemachine" / "train_and_release.asl.json").read_text())
    shard_states = machine["States"]["TrainModels"]["ItemProcessor"]["States"]
    given = {"release": "20261120-788cdb8", "shard": 36**2 - 1}
    prefix = _evaluated(shard_states["BeginShard"]["Assign"]["tuneJob"], states={"input": given})
    told = _evaluated(
        shard_states["TuneModel"]["Arguments"]["HyperParameterTuningJobName"],
        states={"context": {"Execution": {"RedriveCount": 200}, "State": {"RetryCount": 4}}},
        tuneJob=prefix,
    )
    assert len(told) == 32
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}", told)


def test_the_use_cases_that_come_along_can_be_searched():
    for folder in sorted(path.parent for path in Path(ROOT / "use_cases").glob("*/use_case.yaml")):
        use_case = load_use_case(folder)
        tuning = wanted_tuning(use_case, parse_manifest({"tuning": True}))
        assert tuning is not None
        check_hyperparameters(use_case.trainer, {}, tuning)

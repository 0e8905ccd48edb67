"""``sequences`` of use_case.yaml: what may be declared, and what the trainers that read them need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tenant_experience.errors import UserError
from tenant_experience.use_case.processing import NETWORKS, check_training_image
from tenant_experience.use_case.schema import UseCase, load_use_case
from tenant_experience.use_case.trainer_names import trainer_names
from tests.support.monthly_spend import SETTINGS, STEPS
from tests.support.places import USE_CASE_FOLDER
from tests.support.written_use_case import table_of


def test_the_sequences_are_read_by_networks_alone() -> None:
    use_case = UseCase.model_validate(SETTINGS)
    assert use_case.read_sequences == {"spend": list(STEPS)}
    assert UseCase.model_validate({**SETTINGS, "trainer": "linear"}).read_sequences == {}
    assert set(NETWORKS) <= set(trainer_names())


@pytest.mark.parametrize(
    ("sequences", "words"),
    [
        ({"spend": ["spend_2", "spend_0"]}, r"sequences.spend names \['spend_0'\], not among the features"),
        ({"spend": ["spend_2", "city"]}, r"sequences.spend names \['city'\], which are categories: a step is a number"),
        ({"spend": ["spend_2", "spend_1", "spend_2"]}, r"sequences name \['spend_2'\] more than once"),
        ({"a": ["spend_2", "spend_1"], "b": ["spend_1", "spend_3"]}, r"sequences name \['spend_1'\] more than once"),
        ({"a": ["spend_4", "spend_3", "spend_2"], "b": ["spend_1", "age"]}, r"different lengths \(a 3, b 2\)"),
        ({"spend": ["spend_1"]}, "at least 2 items"),
        ({"spend": []}, "at least 2 items"),
        ({"spend": "spend_1"}, "valid list"),
        ({"Spend!": ["spend_2", "spend_1"]}, "should match pattern"),
        ({}, "trainer recurrent_network needs sequences: features that are one quantity at fixed lags, the oldest"),
    ],
)
def test_what_cannot_be_read_step_by_step_is_refused(sequences: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        UseCase.model_validate({**SETTINGS, "sequences": sequences})


def test_too_many_steps_are_refused() -> None:
    features = {f"spend_{lag}": {} for lag in range(121)}
    with pytest.raises(ValueError, match="at most 120 items"):
        UseCase.model_validate({**SETTINGS, "features": features, "sequences": {"spend": list(features)}})


def test_groups_need_a_trainer_that_keeps_to_directions(tmp_path: Path) -> None:
    document = yaml.safe_load((USE_CASE_FOLDER / "use_case.yaml").read_text())
    markers = document["clustering"]["markers"][:2]
    document |= {"trainer": "recurrent_network", "hyperparameters": {}, "sequences": {"marks": markers}}
    (tmp_path / "use_case.yaml").write_text(yaml.safe_dump(document))
    message = r"needs labels\.from: column or events\. With groups, a \w+ must not look better"
    with pytest.raises(UserError, match=message):
        load_use_case(tmp_path)


def test_preview_refuses_before_anything_is_paid_for(tmp_path: Path) -> None:
    written = table_of(tmp_path, trainer="recurrent_network")
    with pytest.raises(UserError, match="trainer recurrent_network needs sequences") as refusal:
        written.preview()
    assert refusal.value.code == "invalid_use_case"


def test_hyperparameters_of_a_network_are_checked_by_preview(tmp_path: Path) -> None:
    features = {"spend_2": {}, "spend_1": {}}
    written = table_of(
        tmp_path,
        trainer="recurrent_network",
        features=features,
        sequences={"spend": list(features)},
        hyperparameters={"width": 4096},
    )
    with pytest.raises(UserError, match="width='4096'"):
        written.build()


def test_a_stack_without_the_training_image_refuses_networks_alone() -> None:
    network, other = (
        yaml.safe_dump({**SETTINGS, "trainer": each}).encode() for each in ("recurrent_network", "linear")
    )
    check_training_image(network, "image")
    check_training_image(other, "")
    check_training_image(b"name: other", "")
    with pytest.raises(UserError, match="deploy it with the parameter TrainingImageUri") as refusal:
        check_training_image(network, "")
    assert refusal.value.code == "no_training_image"
    with pytest.raises(UserError, match="not valid YAML"):
        check_training_image(b"a: [", "")
    for odd in (b"trainer: [a]", b"trainer: {a: b}", b"- a"):
        check_training_image(odd, "")

"""A model's card: of SageMaker's schema, within its lengths whatever names there are; and it links the report."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft7Validator

from tenant_experience.evaluation.model_card import LIMIT, model_card
from tests.support.card_links import LINKS
from tests.support.places import ROOT

SCHEMA = ROOT / "local_aws" / "sagemaker" / "registry" / "model_card_schema.json"
FOUR_COUNTS = {"true_positive": 9, "false_positive": 1, "true_negative": 8, "false_negative": 2}


def evaluation(**more: Any) -> dict[str, Any]:
    """A partition of evaluation.json."""
    return {
        "partition": "all",
        "slug": "all",
        "scale": "global",
        "tenants": 200,
        "bad_share": 0.4,
        "counts": {"train": {"tenants": 140, "bad": 60}, "validation": {"tenants": 40, "bad": 16}},
        "metrics": {"roc_auc": 0.98765, "accuracy": 0.85},
        "intervals": {"roc_auc": [0.98, 0.99]},
        "confusion": FOUR_COUNTS,
        "importance": [{"feature": "answer_rate", "mean_contribution": 1.5}],
        "champion": {"verdict": "equal", "version": "r1"},
        "gates": [{"name": "roc_auc", "passed": True, "message": "the ROC AUC is 0.9877, and 0.8 is the least"}],
        "warnings": ["A cut through a continuum."],
        "grouping": {},
        "model": {
            "version": "r2",
            "trainer": "xgboost",
            "code_version": "0.1.0",
            "as_of": "2026-11-01T00:00:00Z",
            "labels": ["good", "bad"],
            "hyperparameters": {"max_depth": 5},
            "training": {"data_sha256": "ab" * 32, "validation_loss": 0.25},
        },
    } | more


def test_the_card_says_how_the_answers_agree_with_outcomes() -> None:
    text = "not validated against any outcome"
    card = content(evaluation(validation={"text": text, "validated": False, "outcomes": []}))
    assert card["additional_information"]["custom_details"]["outcomes of records"] == text


def content(document: dict[str, Any]) -> dict[str, Any]:
    text = model_card(document, LINKS)
    assert len(text) <= LIMIT
    assert "\n" not in text
    card: dict[str, Any] = json.loads(text)
    Draft7Validator(json.loads(SCHEMA.read_text())).validate(card)
    return card


def test_it_has_the_key_figures_with_their_intervals_and_links_the_report() -> None:
    card = content(evaluation())
    [judged] = card["evaluation_details"]
    metrics, confusion, importance = judged["metric_groups"]
    assert metrics["metric_data"][0] == {
        "name": "roc_auc",
        "type": "number",
        "value": 0.98765,
        "notes": "95% interval 0.98 to 0.99",
    }
    assert confusion["metric_data"][0]["value"] == [[8, 1], [2, 9]]
    assert importance["metric_data"][0]["x_axis_name"] == ["answer_rate"]
    assert judged["metadata"]["report"] == LINKS.report
    training = card["training_details"]
    assert "ab" * 32 in training["training_observations"]
    assert training["training_job_details"]["user_provided_training_metrics"][0]["value"] == 0.25
    details = card["additional_information"]["custom_details"]
    assert (details["report"], details["against the live model"]) == (LINKS.report, "equal (r1)")
    assert "A cut through a continuum." in card["additional_information"]["caveats_and_recommendations"]


def test_it_says_what_the_published_probability_was_worth() -> None:
    sentences = ["Of the 500 tenants told less than 5%, 4.0% were bad.", "It was tested on 1,000 tenants."]
    card = content(evaluation(next_period={"sentences": sentences, "backtest": None}))
    assert card["additional_information"]["custom_details"]["the published probability"] == " ".join(sentences)


def test_it_says_what_a_score_on_groups_does_not_mean() -> None:
    assert (
        "not that the definition is right" in content(evaluation())["evaluation_details"][0]["evaluation_observation"]
    )
    published = {"figures": {"label": "Compared with the own group.", "calibration": "Of the model probability."}}
    observed = content(evaluation(published=published))["evaluation_details"][0]["evaluation_observation"]
    assert observed.endswith("Compared with the own group. Of the model probability.")
    assert "by the answers as the API publishes them" in observed
    of_column = content(evaluation(grouping=None))["evaluation_details"][0]["evaluation_observation"]
    assert "definition" not in of_column


@pytest.mark.parametrize(
    "confusion",
    [{}, {"labels": ["a", "b", "c"], "matrix": [[1, 0, 0], [0, 2, 0], [0, 1, 3]]}],
    ids=["number", "classes"],
)
def test_other_labels_have_a_card_too(confusion: dict[str, Any]) -> None:
    groups = content(evaluation(confusion=confusion, bad_share=None, grouping=None))["evaluation_details"][0]
    assert len(groups["metric_groups"]) == (3 if confusion else 2)


def test_long_texts_and_many_names_stay_within_the_limits() -> None:
    many = [{"feature": f"{'f' * 70}{number}", "mean_contribution": 0.1} for number in range(3_000)]
    settings = {f"{'s' * 300}{number}": "v" * 300 for number in range(300)}
    content(
        evaluation(
            importance=many,
            warned={"groups": ["w" * 3_000] * 50},
            partition="p" * 2_000,
            gates=[{"name": "roc_auc", "passed": False, "message": "m" * 2_000}],
            model=evaluation()["model"] | {"hyperparameters": settings | {"empty": ""}},
        )
    )

"""The key figures of a model as the card that SageMaker's registry keeps with its package. Only the standard library.

The schema, with its lengths, is that of a model package's card: "View the details of a model version" in the SageMaker
developer guide. The card is short, and links the report.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tenant_experience.use_case.words import Words

# ModelCardContent may be this long, without a line break.
LIMIT = 100_000
_TEXT, _SHORT, _NAME, _VALUE = 2_048, 1_024, 63, 255
_MOST_FEATURES, _MOST_SETTINGS, _MOST_CLASSES, _MOST_WARNINGS = 20, 100, 20, 10

_GROUPS = (
    "Says which group {a_record} belongs to, from the counts, waiting times and tone of a year's messages. The groups "
    "come from a rule, not from the {records}: nobody asked them."
)
_COLUMN = "Predicts a column of the data from the other columns, for {records} that do not have a value yet."
_GROUPS_OBSERVED = (
    "Measured on {records} that the model has never seen, by the answers as the API publishes them. The labels are our "
    "own groups: a high score means that the answers copy their definition, not that the definition is right. The "
    "report describes the groups."
)
_COLUMN_OBSERVED = "Measured on a test part from which the model has learned nothing, in data like these."
_USES = "To choose which {records} to look at first. A person decides what to do."
_CAVEATS = "Not for decisions about a single {record} without looking at the {record}'s own record."


@dataclass(frozen=True)
class CardLinks:
    """Addresses that a card names.

    Attributes:
        model: the archive.
        report: the page.
        evaluation: all figures.
        features: what it was trained on.
        image: the container it was trained in, and which serves it.
    """

    model: str
    report: str
    evaluation: str
    features: str
    image: str


def model_card(evaluation: Mapping[str, Any], links: CardLinks) -> str:
    """The card's content, one line of JSON of at most ``LIMIT`` characters.

    Args:
        evaluation: one partition of ``evaluation.json``.
        links: what it names.
    """
    model, grouped = evaluation["model"], evaluation["grouping"] is not None
    words = Words.read(evaluation.get("words"))
    card = {
        "model_overview": {
            "model_creator": _cut(f"tenant-experience {model['code_version']}, release {model['version']}", _SHORT),
            "model_artifact": [links.model],
        },
        "intended_uses": {
            "purpose_of_model": words.fill(_GROUPS if grouped else _COLUMN),
            "intended_uses": words.fill(_USES),
            "risk_rating": "Unknown",
            "explanations_for_risk_rating": "Not rated: the operator decides.",
        },
        "training_details": _training(evaluation, links),
        "evaluation_details": [
            {
                "name": "test part",
                "evaluation_observation": _cut(" ".join(_observed(evaluation, grouped=grouped)), _TEXT),
                "datasets": [links.features],
                "metadata": {"report": links.report, "evaluation": links.evaluation},
                "metric_groups": list(_metric_groups(evaluation)),
            }
        ],
        "additional_information": {
            "caveats_and_recommendations": _cut(" ".join([words.fill(_CAVEATS), *_warnings(evaluation)]), _TEXT),
            "custom_details": _details(evaluation, links),
        },
    }
    return json.dumps(card, allow_nan=False)


def _training(evaluation: Mapping[str, Any], links: CardLinks) -> dict[str, Any]:
    model, counts, words = evaluation["model"], evaluation["counts"], Words.read(evaluation.get("words"))
    settings = list(model["hyperparameters"].items())[:_MOST_SETTINGS]
    record = model.get("training")
    split = f" {evaluation['split']['text']}" if evaluation.get("split") else ""
    counted = "rows" if split and evaluation["split"]["records"] < evaluation["split"]["rows"] else words.records
    data = f" Data SHA-256 {record['data_sha256']}." if record else ""
    losses = [{"name": "validation loss", "value": record["validation_loss"]}] if record else []
    return {
        "training_observations": _cut(
            f"Trainer {model['trainer']} on {counts['train']['tenants']} {counted}, stopped by "
            f"{counts['validation']['tenants']} others; features as of {model['as_of']}.{split}{data}",
            _SHORT,
        ),
        "training_job_details": {
            "training_datasets": [links.features],
            "training_environment": {"container_image": [links.image]},
            "user_provided_training_metrics": losses,
            "user_provided_hyper_parameters": [
                {"name": _cut(str(name), _VALUE), "value": _cut(str(value), _VALUE)}
                for name, value in settings
                if str(value)
            ],
        },
    }


def _observed(evaluation: Mapping[str, Any], *, grouped: bool) -> Iterator[str]:
    yield Words.read(evaluation.get("words")).fill(_GROUPS_OBSERVED if grouped else _COLUMN_OBSERVED)
    figures = (evaluation.get("published") or {}).get("figures") or {}
    yield from dict.fromkeys(figures.values())


def _metric_groups(evaluation: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    intervals = evaluation.get("intervals") or {}
    yield {
        "name": "metrics",
        "metric_data": [
            _number(name, value, _interval(intervals.get(name)))
            for name, value in evaluation["metrics"].items()
            if value is not None
        ],
    }
    confusion = _confusion(evaluation)
    if confusion and len(confusion["labels"]) <= _MOST_CLASSES:
        names = [_cut(name, _NAME) for name in confusion["labels"]]
        yield {
            "name": "confusion",
            "metric_data": [
                {
                    "name": "labels (rows) and answers (columns)",
                    "type": "matrix",
                    "value": confusion["matrix"],
                    "x_axis_name": names,
                    "y_axis_name": names,
                }
            ],
        }
    strongest = evaluation["importance"][:_MOST_FEATURES]
    yield {
        "name": "importance",
        "metric_data": [
            {
                "name": "mean effect of a feature",
                "type": "bar_chart",
                "value": [row["mean_contribution"] for row in strongest],
                "x_axis_name": [_cut(row["feature"], _NAME) for row in strongest],
            }
        ],
    }


def _details(evaluation: Mapping[str, Any], links: CardLinks) -> dict[str, str]:
    details = {
        "report": links.report,
        "partition": evaluation["partition"],
        "scale": evaluation["scale"],
        "tenants": evaluation["tenants"],
        "bad share": evaluation["bad_share"],
    }
    champion = evaluation.get("champion")
    if champion:
        details["against the live model"] = f"{champion['verdict']} ({champion['version']})"
    following = evaluation.get("next_period")
    if following:
        details["the published probability"] = " ".join(following["sentences"])
    validation = evaluation.get("validation")
    if validation:
        details[f"outcomes of {Words.read(evaluation.get('words')).records}"] = validation["text"]
    for gate in evaluation.get("gates") or ():
        details[f"gate {gate['name']}"] = f"{'kept' if gate['passed'] else 'broken'}: {gate['message']}"
    return {name: _cut(str(value), _SHORT) for name, value in details.items() if value is not None}


def _warnings(evaluation: Mapping[str, Any]) -> list[str]:
    of_groups = (evaluation["grouping"] or {}).get("warnings") or ()
    return [*(evaluation.get("warnings") or ()), *of_groups][:_MOST_WARNINGS]


def _confusion(evaluation: Mapping[str, Any]) -> Mapping[str, Any] | None:
    counts: Mapping[str, Any] = evaluation["confusion"]
    if "true_positive" not in counts:
        return counts if counts.get("labels") else None
    matrix = [[counts["true_negative"], counts["false_positive"]], [counts["false_negative"], counts["true_positive"]]]
    return {"labels": evaluation["model"]["labels"], "matrix": matrix}


def _number(name: str, value: float, notes: str | None) -> dict[str, Any]:
    return {"name": name, "type": "number", "value": value} | ({"notes": notes} if notes else {})


def _interval(bounds: Sequence[float] | None) -> str | None:
    return f"95% interval {bounds[0]:.4g} to {bounds[1]:.4g}" if bounds else None


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"

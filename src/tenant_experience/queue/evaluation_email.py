"""The e-mail and the event about an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenant_experience.queue.file_evaluation import numbers
from tenant_experience.readable_text import readable_without_links

_MOST_PARTITIONS = 50
_WORDS = {
    "rows": "rows with the truth",
    "roc_auc": "ROC AUC",
    "f1": "F1",
    "brier": "Brier score",
    "calibration_error": "calibration error",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
}


def summary(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The detail of the event: the figures of the whole file, and where those of its partitions are."""
    facts = {name: document[name] for name in ("use_case", "file", "version_id", "rows", "scored", "failed")}
    return {**facts, "with_truth": document["with_truth"], "figures": numbers(_of_file(document)), "key": key}


def write(document: Mapping[str, Any], key: str) -> tuple[str, str]:
    """The subject and the text."""
    file = readable_without_links(f"{document['use_case']}/{document['file']}")
    partitions = document["evaluation"]["partitions"]
    lines = [
        f"The file {file} has been scored, and {document['with_truth']} of its {document['rows']} rows say what really "
        "happened.",
        "",
        "The whole file",
        *_lines(_of_file(document)),
    ]
    for name, figures in list(partitions.items())[:_MOST_PARTITIONS]:
        lines += ["", readable_without_links(name), *_lines(figures)]
    if len(partitions) > _MOST_PARTITIONS:
        lines += ["", f"{len(partitions) - _MOST_PARTITIONS} more partitions are in the document."]
    lines += ["", f"All figures: {readable_without_links(key)} in the data bucket"]
    return f"Evaluated: {file}", "\n".join(lines)


def _of_file(document: Mapping[str, Any]) -> Mapping[str, Any]:
    figures: Mapping[str, Any] = document["evaluation"]["file"]
    return figures


def _lines(figures: Mapping[str, Any]) -> list[str]:
    lines = [f"  {_WORDS.get(name, name.replace('_', ' '))}: {value:.4g}" for name, value in numbers(figures).items()]
    for truth, said in figures.get("confusion_matrix", {}).items():
        counts = ", ".join(f"{label} {count}" for label, count in said.items())
        lines.append(f"  really {truth}, answered: {counts}")
    return lines

"""The answers to a batch: ``application/json`` says everything, ``text/csv`` is the model's own output alone.

CSV is for machines that score millions of rows, so nothing is redrawn for it (decision 0014).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from container.batch import Batch
from tenant_experience.models.served_model import Published, ServedModel


def json_answer(batch: Batch, model: ServedModel) -> bytes:
    """Each row's answer, with model version, partition and scale."""
    manifest = model.scorer.manifest
    predictions = [
        {"tenant_id": tenant_id, **answer}
        for tenant_id, answer in zip(
            batch.tenant_ids, in_words(batch, model, model.publish(batch.values, batch.exposure_days)), strict=True
        )
    ]
    document = {
        "model_version": manifest.version,
        "partition": manifest.partition,
        "scale": manifest.scale,
        "validation": model.validation.document(),
        "predictions": predictions,
    }
    return json.dumps(document, allow_nan=False).encode()


def in_words(batch: Batch, model: ServedModel, published: Published) -> list[dict[str, Any]]:
    """Each row's answer (``ServedModel.answers``), with what the batch says and asks of it, but without its id."""
    found = model.in_words(published)
    for row, names in batch.unknown_categories.items():
        found[row]["unknown_categories"] = names
    if batch.explain:
        for answer in found:
            answer["contributions"] = {}
        known = np.flatnonzero(published.known)
        for row, why in zip(
            known.tolist(), _explanations(batch.take(known), model, published.take(known)), strict=True
        ):
            found[row] |= why
    return found


def _explanations(batch: Batch, model: ServedModel, published: Published) -> Iterator[dict[str, Any]]:
    """What is added to each row when reasons are wanted (``Reasons``)."""
    if not len(batch.values):
        return
    manifest, reasons = model.scorer.manifest, model.reasons(batch.values, published)
    labels: list[Any] = [None] * len(reasons.baseline) if reasons.label is None else reasons.label.tolist()
    for label, contributions, baseline in zip(
        labels, reasons.contributions.tolist(), reasons.baseline.tolist(), strict=True
    ):
        why = {"contributions": dict(zip(manifest.features, contributions, strict=True)), "baseline": baseline}
        yield why if label is None else why | {"contributions_for": manifest.labels[label]}


def csv_answer(batch: Batch, model: ServedModel) -> bytes:
    """The model's output, a line a row: one number, or one a label in the order of ``labels`` in model.json."""
    outputs = model.scorer.outputs(batch.values.astype(np.float32, copy=False)).tolist()
    if model.scorer.manifest.task == "multiclass":
        return "".join(",".join(map(repr, row)) + "\n" for row in outputs).encode()
    return "".join(map("%r\n".__mod__, outputs)).encode()

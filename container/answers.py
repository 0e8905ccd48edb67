"""The answers to a batch: ``application/json`` says everything, ``text/csv`` is the model's own output alone.

CSV is for machines that score millions of rows, so nothing is redrawn for it (decision 0014).
"""

from __future__ import annotations

import json

import numpy as np

from container.batch import Batch
from tenant_experience.models.served_model import ServedModel
from tenant_experience.prediction_status import PredictionStatus


def json_answer(batch: Batch, model: ServedModel) -> bytes:
    """Each row's answer (``ServedModel.answers``), with model version, partition and scale."""
    manifest = model.scorer.manifest
    answers = model.answers(batch.values, batch.exposure_days)
    predictions = [
        {"tenant_id": tenant_id, **answer} for tenant_id, answer in zip(batch.tenant_ids, answers, strict=True)
    ]
    for row, names in batch.unknown_categories.items():
        predictions[row]["unknown_categories"] = names
    if batch.explain:
        contributions = model.scorer.contributions(batch.values.astype(np.float32, copy=False)).tolist()
        for prediction, row_contributions in zip(predictions, contributions, strict=True):
            scored = prediction["status"] == PredictionStatus.SCORED
            prediction["contributions"] = dict(zip(manifest.features, row_contributions, strict=True)) if scored else {}
    document = {
        "model_version": manifest.version,
        "partition": manifest.partition,
        "scale": manifest.scale,
        "predictions": predictions,
    }
    return json.dumps(document, allow_nan=False).encode()


def csv_answer(batch: Batch, model: ServedModel) -> bytes:
    """The model's output, a line a row: one number, or one a label in the order of ``labels`` in model.json."""
    outputs = model.scorer.outputs(batch.values.astype(np.float32, copy=False)).tolist()
    if model.scorer.manifest.task == "multiclass":
        return "".join(",".join(map(repr, row)) + "\n" for row in outputs).encode()
    return "".join(f"{number!r}\n" for number in outputs).encode()

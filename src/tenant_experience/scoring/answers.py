"""Answers as rows: made in this process by a loaded model, or read from what the container answered."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tenant_experience.api.kept_answer import Row, answer_row
from tenant_experience.api.prediction import ModelPrediction, ServedTenant
from tenant_experience.models.served_model import ServedModel
from tenant_experience.prediction_status import PredictionStatus
from tenant_experience.scoring.served_rows import ServedRows
from tenant_experience.text_cell import id_cell, text_cell
from tenant_experience.use_case.served import ServedUseCase

_TEXTS = pa.list_(pa.string())
# Documented in docs/scoring.md, and declared for Athena in template.yaml.
SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("portfolio_id", pa.string()),
        ("partition", pa.string()),
        ("status", pa.string()),
        ("answer", pa.string()),
        ("label_basis", pa.string()),
        ("probability", pa.float64()),
        ("probability_basis", pa.string()),
        ("model_probability", pa.float64()),
        ("probabilities", pa.map_(pa.string(), pa.float64())),
        ("value", pa.float64()),
        ("value_of", pa.string()),
        ("unknown_categories", _TEXTS),
        ("reasons", _TEXTS),
        ("counter_reasons", _TEXTS),
        ("open_items", pa.float64()),
        ("oldest_open_hr", pa.float64()),
        ("history", pa.string()),
        ("model_version", pa.string()),
        ("scale", pa.string()),
        ("as_of", pa.string()),
        ("scored_at", pa.string()),
        ("batch", pa.string()),
        ("run", pa.string()),
    ]
)


@dataclass(frozen=True)
class Run:
    """Which run it is, in every answer.

    Attributes:
        run: its id.
        batch: what the answers are called.
        scored_at: the moment of its trigger, ISO 8601 UTC.
        use_case: names and words.
    """

    run: str
    batch: str
    scored_at: str
    use_case: ServedUseCase

    def row(self, tenant: ServedTenant, prediction: ModelPrediction | None) -> Row:
        """One answer."""
        return answer_row(tenant, prediction, self.use_case, scored_at=self.scored_at, batch=self.batch, run=self.run)


def predict(rows: ServedRows, model: ServedModel) -> Iterator[ModelPrediction]:
    """What the model answers, with reasons, as the endpoint would."""
    encoding, manifest = model.scorer.encoding, model.scorer.manifest
    values = rows.matrix(encoding)
    published = model.publish(values, rows.exposure_days)
    reasons = model.reasons(values, published)
    labels = [None] * len(rows) if reasons.label is None else reasons.label.tolist()
    answers, unknown = model.in_words(published), rows.unknown_categories(encoding)
    for answer, names, label, contributions in zip(
        answers, unknown, labels, reasons.contributions.tolist(), strict=True
    ):
        if names:
            answer["unknown_categories"] = names
        if answer["status"] == PredictionStatus.SCORED:
            answer["contributions"] = dict(zip(manifest.features, contributions, strict=True))
            answer["contributions_for"] = None if label is None else manifest.labels[label]
        yield ModelPrediction.read(answer, model_version=manifest.version, scale=manifest.scale)


def read_transformed(path: Path) -> Iterator[tuple[str, ModelPrediction | None]]:
    """Id and answer of each line that a batch transform wrote; None for a line that the container refused."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            document: Mapping[str, Any] = json.loads(line)
            answer = document["SageMakerOutput"]
            refused = answer["status"] == PredictionStatus.REFUSED
            yield document["tenant_id"], None if refused else _prediction(answer)


def _prediction(answer: Mapping[str, Any]) -> ModelPrediction:
    return ModelPrediction.read(answer, model_version=answer["model_version"], scale=answer["scale"])


def write_rows(rows: Iterable[Row], path: Path, at_once: int = 10_000) -> int:
    """Writes rows as Parquet, some thousand at a time; returns how many."""
    total = 0
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        part: list[Row] = []
        for row in rows:
            part.append(row)
            if len(part) == at_once:
                writer.write_table(to_table(part))
                total, part = total + len(part), []
        if part:
            writer.write_table(to_table(part))
    return total + len(part)


def to_table(rows: list[Row]) -> pa.Table:
    """Rows as Arrow."""
    flat = [row | {"probabilities": list((row["probabilities"] or {}).items()) or None} for row in rows]
    return pa.Table.from_pylist(flat, SCHEMA)


def read_answers(path: Path) -> Iterator[Row]:
    """The reverse of ``write_rows``."""
    for batch in pq.ParquetFile(path).iter_batches(10_000):
        for row in batch.to_pylist():
            yield row | {"probabilities": None if row["probabilities"] is None else dict(row["probabilities"])}


def write_csv(rows: Iterable[Row], path: Path) -> None:
    """The same rows for a spreadsheet: lists are joined by ``; ``, and probabilities are JSON.

    A text that a spreadsheet would take for a formula begins with a space; ids are otherwise as they are.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, SCHEMA.names)
        writer.writeheader()
        writer.writerows({name: _cell(name, row[name]) for name in SCHEMA.names} for row in rows)


def _cell(name: str, value: object) -> object:
    if isinstance(value, list):
        value = "; ".join(value)
    elif isinstance(value, dict):
        value = json.dumps(value)
    if not isinstance(value, str):
        return value
    return id_cell(value) if name == "record_id" else text_cell(value)

"""Request bodies to matrices, predictions to response bodies: text/csv and application/json.

No pandas here: for one row, building a frame costs several times the prediction.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from container.serving_errors import BadRequestError
from tenant_experience.encoding import Matrix
from tenant_experience.model_artifact import ModelManifest

CSV, JSON = "text/csv", "application/json"


@dataclass(frozen=True)
class Batch:
    """What was asked: a (rows, features) matrix in the model's order, NaN = missing.

    Attributes:
        matrix: the rows.
        tenant_ids: one a row, None where the request names none (always so for CSV).
        explain: whether contributions are wanted.
    """

    matrix: Matrix
    tenant_ids: Sequence[str | None]
    explain: bool = False


@dataclass(frozen=True)
class Answer:
    """What is answered, one entry a row; ``contributions`` only when asked for."""

    probabilities: Sequence[float]
    experiences: Sequence[str]
    contributions: Matrix | None = None


def decode_json(body: bytes, features: Sequence[str]) -> Batch:
    """Reads ``{"instances": [{"tenant_id": "...", "features": {...}}], "explain": true}``; null or absent = missing.

    Raises:
        BadRequestError: naming the instance, counted from 0, and the field.
    """
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"the body is not JSON: {error}") from error
    _only_keys(document, ("instances", "explain"), "the body")
    instances, explain = document.get("instances"), document.get("explain", False)
    if not isinstance(instances, list):
        raise BadRequestError("instances must be a list of {tenant_id, features}")
    if not isinstance(explain, bool):
        raise BadRequestError("explain must be true or false")
    columns = {name: column for column, name in enumerate(features)}
    matrix = np.full((len(instances), len(features)), np.nan, dtype=np.float32)
    tenant_ids = [_fill_row(matrix[row], instance, columns, row) for row, instance in enumerate(instances)]
    return Batch(_finite(matrix, features, "instance", 0), tenant_ids, explain)


def decode_csv(body: bytes, features: Sequence[str]) -> Batch:
    """Reads rows of numbers in the model's order; a first line of feature names decides the order; empty = missing.

    Raises:
        BadRequestError: naming the line, counted from 1, and the column.
    """
    try:
        lines = body.decode("utf-8-sig").splitlines()
        rows = [cells for cells in csv.reader(lines) if cells]
    except UnicodeDecodeError as error:
        raise BadRequestError(f"the body is not UTF-8: {error}") from error
    except csv.Error as error:
        raise BadRequestError(f"the body is not CSV: {error}") from error
    if not rows:
        return Batch(np.empty((0, len(features)), dtype=np.float32), [])
    order = _header(rows[0], features)
    first_line = 1
    if order is not None:
        rows, first_line = rows[1:], 2
    names = features if order is None else order
    matrix = np.empty((len(rows), len(names)), dtype=np.float32)
    for row, cells in enumerate(rows):
        matrix[row] = _numbers(cells, names, row + first_line)
    _finite(matrix, names, "line", first_line)
    if order is not None:
        arranged = np.full((len(rows), len(features)), np.nan, dtype=np.float32)
        arranged[:, [features.index(name) for name in order]] = matrix
        matrix = arranged
    return Batch(matrix, [None] * len(rows))


def encode_json(batch: Batch, answer: Answer, manifest: ModelManifest) -> bytes:
    """The predictions with model version, partition and scale."""
    predictions: list[dict[str, Any]] = [
        {"tenant_id": tenant_id, "probability": probability, "experience": experience}
        for tenant_id, probability, experience in zip(
            batch.tenant_ids, answer.probabilities, answer.experiences, strict=True
        )
    ]
    if answer.contributions is not None:
        for prediction, row in zip(predictions, answer.contributions.tolist(), strict=True):
            prediction["contributions"] = dict(zip(manifest.features, row, strict=True))
    document = {
        "model_version": manifest.version,
        "partition": manifest.partition,
        "scale": manifest.scale,
        "predictions": predictions,
    }
    return json.dumps(document, allow_nan=False).encode()


def encode_csv(_batch: Batch, answer: Answer, _manifest: ModelManifest) -> bytes:
    """One probability a line."""
    return "".join(f"{probability!r}\n" for probability in answer.probabilities).encode()


DECODERS: dict[str, Callable[[bytes, Sequence[str]], Batch]] = {JSON: decode_json, CSV: decode_csv}
ENCODERS: dict[str, Callable[[Batch, Answer, ModelManifest], bytes]] = {JSON: encode_json, CSV: encode_csv}


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number; a missing value is null")


def _only_keys(value: Any, allowed: Sequence[str], where: str) -> None:
    if not isinstance(value, dict):
        raise BadRequestError(f"{where} must be an object with {', '.join(allowed)}")
    unknown = sorted(set(value) - set(allowed))
    if unknown:
        raise BadRequestError(f"{where}: unknown {', '.join(unknown)[:200]}; known are {', '.join(allowed)}")


def _fill_row(row: Matrix, instance: Any, columns: dict[str, int], number: int) -> str | None:
    where = f"instance {number}"
    _only_keys(instance, ("tenant_id", "features"), where)
    tenant_id, values = instance.get("tenant_id"), instance.get("features")
    if tenant_id is not None and not isinstance(tenant_id, str):
        raise BadRequestError(f"{where}: tenant_id must be a string")
    if not isinstance(values, dict):
        raise BadRequestError(f"{where}: features must be an object of numbers")
    for name, value in values.items():
        if name not in columns:
            raise BadRequestError(f"{where}: unknown feature {name[:200]}; known are {', '.join(columns)}")
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadRequestError(f"{where}: {name} is {json.dumps(value)[:40]}, not a number or null")
        row[columns[name]] = _float32(value)
    return tenant_id


def _float32(value: float) -> float:
    """The value, or infinity when no 32-bit float holds it, which is refused afterwards for all rows at once."""
    return value if -3.4e38 < value < 3.4e38 else math.inf


def _header(cells: list[str], features: Sequence[str]) -> list[str] | None:
    """The feature names of a header line, or None when the line is data."""
    names = [cell.strip() for cell in cells]
    if all(_is_number(name) for name in names):
        return None
    unknown = [name for name in names if name not in features]
    if len(unknown) == len(names):
        return None  # not one known name: a row of bad data, which is refused with its line and column
    if unknown:
        raise BadRequestError(f"line 1: unknown feature {', '.join(unknown)[:200]}; known are {', '.join(features)}")
    if len(set(names)) != len(names):
        raise BadRequestError("line 1: a feature is named twice")
    return names


def _is_number(text: str) -> bool:
    try:
        float(text or "nan")
    except ValueError:
        return False
    return True


def _numbers(cells: list[str], names: Sequence[str], line: int) -> list[float]:
    if len(cells) != len(names):
        raise BadRequestError(f"line {line}: {len(cells)} cells, expected {len(names)}: {', '.join(names)}")
    try:
        return [_float32(float(cell)) if cell else math.nan for cell in cells]
    except ValueError:
        column, cell = next((name, cell) for name, cell in zip(names, cells, strict=True) if not _is_number(cell))
        raise BadRequestError(f"line {line}: {column} is {cell[:40]!r}, not a number or empty") from None


def _finite(matrix: Matrix, names: Sequence[str], unit: str, first: int) -> Matrix:
    infinite = np.argwhere(np.isinf(matrix))
    if len(infinite):
        row, column = infinite[0]
        raise BadRequestError(f"{unit} {row + first}: {names[column]} is infinite or too large for a 32-bit number")
    return matrix

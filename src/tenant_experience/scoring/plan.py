"""Which model answers for how many rows, and by which kind of job: plain rules.

A model with many rows gets a batch transform of its own, sized from its rows and from the measured bytes of a row; all
other models are asked in one processing job, which loads each of them once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tenant_experience.release.release import PublishedModel

MIB = 2**20
# Of one run; the models with the fewest rows beyond it join the others.
MOST_TRANSFORMS = 100
# SageMaker's own limits: MaxPayloadInMB times MaxConcurrentTransforms is at most 100.
_MOST_IN_FLIGHT_MB = 100
_MOST_CONCURRENT = 4
_ROWS_PER_REQUEST = 1_000
_MOST_PAYLOAD_MB = 6
_ROWS_PER_INSTANCE = 250_000
_MOST_INSTANCES = 20
_MIB_PER_FILE = 64


@dataclass(frozen=True)
class Size:
    """How one batch transform is run.

    Attributes:
        instances: how many.
        files: into how many files the rows are split: a multiple of ``instances``, because whole files go to an
            instance.
        payload_mb: the most that one request holds.
        concurrent: how many requests an instance answers at once.
    """

    instances: int
    files: int
    payload_mb: int
    concurrent: int


def size_transform(rows: int, bytes_per_row: float) -> Size:
    """The size of a batch transform.

    A request holds about a thousand rows, in 1 to 6 MB: larger ones take longer to begin, and a retry repeats more. An
    instance gets up to 250,000 rows, and a file up to 64 MiB.
    """
    payload = min(_MOST_PAYLOAD_MB, max(1, math.ceil(_ROWS_PER_REQUEST * bytes_per_row / MIB)))
    instances = min(_MOST_INSTANCES, max(1, math.ceil(rows / _ROWS_PER_INSTANCE)))
    files = math.ceil(max(instances, rows * bytes_per_row / MIB / _MIB_PER_FILE) / instances) * instances
    return Size(instances, files, payload, min(_MOST_CONCURRENT, _MOST_IN_FLIGHT_MB // payload))


def transformed(rows: Mapping[PublishedModel, int], at_least: int) -> list[PublishedModel]:
    """The models that get a batch transform: those with enough rows, the most rows first, and at most a hundred.

    Args:
        rows: model -> how many rows it answers for.
        at_least: how many rows are enough; 0 for none at all.
    """
    enough = [model for model, count in rows.items() if at_least and count >= at_least]
    return sorted(enough, key=lambda model: (-rows[model], model.slug))[:MOST_TRANSFORMS]


def rest_item(partitions: Mapping[PublishedModel, Sequence[str]], rows: int) -> dict[str, Any]:
    """The item of the plan for all models that get no batch transform, each with the partitions it answers for."""
    models = [{**asdict(model), "partitions": list(slugs)} for model, slugs in partitions.items()]
    return {"kind": "rest", "name": "rest", "rows": rows, "models": models}

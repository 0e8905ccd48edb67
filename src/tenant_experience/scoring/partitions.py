"""Asks the models of many small partitions in one process, each of which is fetched and loaded once."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tenant_experience.api.kept_answer import Row
from tenant_experience.data_layout import FEATURES_FILE
from tenant_experience.models.digests import ModelDiffersError
from tenant_experience.models.served_model import ServedModel
from tenant_experience.release.release import PublishedModel
from tenant_experience.scoring.answers import Run, predict
from tenant_experience.scoring.served_rows import read_rows

Fetch = Callable[[PublishedModel, Path], None]
_log = logging.getLogger("score_partitions")


def score_partitions(prepared: Path, models: Sequence[Mapping[str, Any]], run: Run, fetch: Fetch) -> Iterator[Row]:
    """The answers for the rows of these models.

    Args:
        prepared: what PrepareScoring wrote.
        models: those of the plan's item, each with the partitions that it answers for.
        run: whose answers they are.
        fetch: downloads and unpacks the archive of a model into a folder.

    Raises:
        ModelDiffersError: an archive is not the one that was registered.
    """
    for place, planned in enumerate(models):
        model = PublishedModel(planned["slug"], planned["version"], planned["digest"])
        served = _load(model, fetch)
        answered = 0
        for rows in read_rows(prepared / FEATURES_FILE, run.use_case, planned["partitions"]):
            asked = rows.take(rows.may_be_predicted)
            if len(asked):
                for tenant, answer in zip(asked.tenants, predict(asked, served), strict=True):
                    yield run.row(tenant, answer)
            answered += len(asked)
        _log.info("model %d of %d: %d rows", place + 1, len(models), answered)


def _load(model: PublishedModel, fetch: Fetch) -> ServedModel:
    with tempfile.TemporaryDirectory() as folder:
        fetch(model, Path(folder))
        served = ServedModel.load(Path(folder))
    if model.digest and served.scorer.digest != model.digest:
        raise ModelDiffersError(
            f"the archive of partition {model.slug}, version {model.version}, is not the one that was registered: find "
            "out who changed it, put it back and redrive the execution",
            code="model_differs",
        )
    return served

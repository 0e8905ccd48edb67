"""One model, from its rows to its artifact. Nothing is read or written here, so any process can do it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tenant_experience.models.artifact import ModelManifest, TrainingRecord
from tenant_experience.models.calibration import fit_calibration, loss
from tenant_experience.models.scoring import Scorer
from tenant_experience.statistics.survival import LEAST_DAYS, fit_scale
from tenant_experience.training._feature_dropout import with_dropout_copy
from tenant_experience.training.trainer import Dataset, Objective, TrainedModel, Trainer, TrainerSettings

# Tenants whose loss is computed after every round. It is then known to 0.003 (95%) where the loss of a row deviates by
# 0.3, and rounds are compared on the same rows, which is more exact still.
MOST_WATCHED = 50_000


@dataclass(frozen=True)
class FitTask:
    """Everything that one model is made from.

    Attributes:
        trainer: trains it, with ``settings``.
        settings: the trainer's hyperparameters.
        manifest: what is known of the model beforehand.
        train: rows of the training part.
        validation: rows of the validation part, which stops the training and calibrates the model.
        feature_dropout: the share of features hidden in a second copy of the rows, see ``with_dropout_copy``.
        left_out_features: for the record.
        directions: feature -> 1 where more of it can only make class 1 likelier, -1 where it can only make it less
            likely.
    """

    trainer: Trainer
    settings: TrainerSettings
    manifest: ModelManifest
    train: Dataset
    validation: Dataset
    feature_dropout: float
    left_out_features: tuple[str, ...] = ()
    directions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class FittedModel:
    """A model: the bytes of its file, its manifest, and the record of its training (also in the manifest)."""

    content: bytes
    manifest: ModelManifest
    record: TrainingRecord

    def write(self, folder: Path) -> None:
        """Writes the model's file and ``model.json`` into ``folder``, which is made when it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / self.manifest.model_file).write_bytes(self.content)
        self.manifest.write(folder)


def fit(task: FitTask) -> FittedModel:
    """Trains and calibrates a model. The same task gives the same bytes, whichever process does it.

    Early stopping watches the validation part together with its copy in which features are hidden, of no more than
    ``MOST_WATCHED`` tenants. The calibration is fitted to the whole validation part as it is.
    """
    encoding, chance = task.manifest.encoding, np.random.default_rng(task.settings.seed)
    train = with_dropout_copy(task.train, encoding, task.feature_dropout, chance)
    validation = with_dropout_copy(task.validation, encoding, task.feature_dropout, chance)
    directions = tuple(task.directions.get(column, 0) for column in encoding.columns) if task.directions else ()
    places = {column: place for place, column in enumerate(encoding.columns)}
    sequences = tuple(tuple(places[name] for name in names) for names in task.manifest.sequences.values())
    objective = Objective(task.manifest.task, len(task.manifest.labels), directions, sequences)
    watched = _first_tenants(validation, len(task.validation.labels), MOST_WATCHED)
    model = task.trainer.train(train, watched, encoding.columns, objective, task.settings)
    manifest = task.manifest.model_copy(update={"scaling": model.scaling, "model_file": model.file})
    if objective.classes:
        margins = Scorer.of(model.content, manifest).margins(task.validation.matrix)
        manifest = manifest.model_copy(update={"calibration": fit_calibration(margins, task.validation.labels)})
    if manifest.time_to_event is not None:
        scale = _fitted_scale(task, Scorer.of(model.content, manifest))
        manifest = manifest.model_copy(
            update={"time_to_event": manifest.time_to_event.model_copy(update={"scale": scale})}
        )
    outputs, labels = Scorer.of(model.content, manifest).outputs(validation.matrix), validation.labels
    if manifest.time_to_event is not None:
        outputs, labels = (np.minimum(each, manifest.time_to_event.window_days) for each in (outputs, labels))
    record = _record(task, model, loss(outputs, labels, objective.classes))
    return FittedModel(model.content, manifest.model_copy(update={"training": record}), record)


def _fitted_scale(task: FitTask, scorer: Scorer) -> float | None:
    """How widely times are spread around what the model says, by the validation part; None without a distribution."""
    times, part = task.manifest.time_to_event, task.validation
    if times is None or times.distribution is None or part.censored is None:
        return None
    margins = scorer.margins(part.matrix).astype(np.float64)
    return fit_scale(margins, np.maximum(part.labels, LEAST_DAYS), part.censored, times.distribution)


def _first_tenants(data: Dataset, tenants: int, most: int) -> Dataset:
    """The rows of the first ``most`` tenants, and their copies. Tenants are in an order that says nothing of them."""
    if tenants <= most:
        return data
    kept = np.arange(len(data.labels)) % tenants < most
    return data.take(kept)


def _record(task: FitTask, model: TrainedModel, validation_loss: float) -> TrainingRecord:
    return TrainingRecord(
        data_sha256=_fingerprint(task),
        seed=task.settings.seed,
        feature_dropout=task.feature_dropout,
        rounds=model.rounds,
        validation_loss=validation_loss,
        train_rows=len(task.train.labels),
        validation_rows=len(task.validation.labels),
        left_out_features=task.left_out_features,
        libraries=_libraries() | dict(model.libraries),
    )


def _fingerprint(task: FitTask) -> str:
    """SHA-256 of the names of the columns, and of the matrix and the labels of both parts."""
    digest = hashlib.sha256(json.dumps(task.manifest.encoding.columns).encode())
    for part in (task.train, task.validation):
        digest.update(json.dumps(part.matrix.shape).encode())
        digest.update(part.matrix.astype("<f4").tobytes())
        digest.update(part.labels.astype("<f4").tobytes())
        digest.update(b"" if part.censored is None else part.censored.tobytes())
    return digest.hexdigest()


def _libraries() -> dict[str, str]:
    import scipy
    import sklearn
    import xgboost

    modules = {"numpy": np, "scipy": scipy, "scikit-learn": sklearn, "xgboost": xgboost}
    return {name: module.__version__ for name, module in modules.items()}

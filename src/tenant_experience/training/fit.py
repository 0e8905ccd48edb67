"""One model, from its rows to its artifact: nothing here is read or written, so any process can do it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tenant_experience.data_layout import MODEL_FILE
from tenant_experience.models.artifact import ModelManifest, TrainingRecord
from tenant_experience.models.calibration import fit_calibration, loss
from tenant_experience.models.scoring import Scorer
from tenant_experience.training._feature_dropout import with_masked_copy
from tenant_experience.training.trainer import Dataset, Objective, TrainedModel, Trainer, TrainerSettings


@dataclass(frozen=True)
class Lesson:
    """All that a model is made from.

    Attributes:
        trainer: how it is trained, with ``settings``.
        manifest: what is known of the model beforehand.
        train: rows of the training part.
        validation: rows of the validation part, which stops the training and calibrates.
        masking: see ``masking.with_masked_copy``.
        left_out_features: for the record.
    """

    trainer: Trainer
    settings: TrainerSettings
    manifest: ModelManifest
    train: Dataset
    validation: Dataset
    masking: float
    left_out_features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Learned:
    """A model: the bytes of ``model.ubj``, its manifest, and its record (also in the manifest)."""

    content: bytes
    manifest: ModelManifest
    record: TrainingRecord

    def write(self, folder: Path) -> None:
        """Writes ``model.ubj`` and ``model.json`` into ``folder``, made when missing."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MODEL_FILE).write_bytes(self.content)
        self.manifest.write(folder)


def learn(lesson: Lesson) -> Learned:
    """Trains and calibrates. The same lesson gives the same bytes, whichever process learns it.

    Early stopping watches the validation part with its masked copy; the calibration is for the tenants as they are.
    """
    encoding, chance = lesson.manifest.encoding, np.random.default_rng(lesson.settings.seed)
    train = with_masked_copy(lesson.train, encoding, lesson.masking, chance)
    watched = with_masked_copy(lesson.validation, encoding, lesson.masking, chance)
    objective = Objective(lesson.manifest.task, len(lesson.manifest.labels))
    model = lesson.trainer.train(train, watched, encoding.columns, objective, lesson.settings)
    manifest = lesson.manifest.model_copy(update={"scaling": model.scaling})
    if objective.classes:
        margins = Scorer.of(model.content, manifest).margins(lesson.validation.matrix)
        manifest = manifest.model_copy(update={"calibration": fit_calibration(margins, lesson.validation.labels)})
    outputs = Scorer.of(model.content, manifest).outputs(watched.matrix)
    record = _record(lesson, model, loss(outputs, watched.labels, objective.classes))
    return Learned(model.content, manifest.model_copy(update={"training": record}), record)


def _record(lesson: Lesson, model: TrainedModel, validation_loss: float) -> TrainingRecord:
    return TrainingRecord(
        data_sha256=_fingerprint(lesson),
        seed=lesson.settings.seed,
        masking=lesson.masking,
        rounds=model.rounds,
        validation_loss=validation_loss,
        train_rows=len(lesson.train.labels),
        validation_rows=len(lesson.validation.labels),
        left_out_features=lesson.left_out_features,
        libraries=_libraries(),
    )


def _fingerprint(lesson: Lesson) -> str:
    """SHA-256 of the columns' names, and of matrix and labels of both parts."""
    digest = hashlib.sha256(json.dumps(lesson.manifest.encoding.columns).encode())
    for part in (lesson.train, lesson.validation):
        digest.update(json.dumps(part.matrix.shape).encode())
        digest.update(part.matrix.astype("<f4").tobytes())
        digest.update(part.labels.astype("<f4").tobytes())
    return digest.hexdigest()


def _libraries() -> dict[str, str]:
    import scipy
    import sklearn
    import xgboost

    modules = {"numpy": np, "scipy": scipy, "scikit-learn": sklearn, "xgboost": xgboost}
    return {name: module.__version__ for name, module in modules.items()}

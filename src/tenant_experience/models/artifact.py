"""A model on disk: its file beside ``model.json`` (what it is and which features it reads).

The file is ``model.ubj`` for trees and linear models, in XGBoost's own format, or ``model.npz`` for networks, as plain
arrays. There is no pickle: loading a model runs no code, and any XGBoost or NumPy can read it. ``model.json`` has the
digests of the files beside it and of itself (``digests``); an archive from before digests were written has none, and
still loads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tenant_experience.data_layout import MODEL_FILE, MODEL_FILES, MODEL_MANIFEST, NETWORK_FILE
from tenant_experience.errors import UserError
from tenant_experience.groups.grouping import Scale
from tenant_experience.models.calibration import Calibration
from tenant_experience.models.digests import damage, digest_of, with_digests
from tenant_experience.models.encoding import Encoding, Matrix, as_matrix
from tenant_experience.models.partition_levels import PartitionLevels
from tenant_experience.statistics.survival import Distribution
from tenant_experience.use_case.labels import Task
from tenant_experience.use_case.split import Split

FORMAT: Literal[1] = 1
MANIFEST_LIMIT = 1 << 20
GOOD, BAD = "good", "bad"


class Scaling(BaseModel):
    """For a linear model: what is subtracted from each column and divides it. A missing value is then 0, the mean."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    centre: tuple[float, ...]
    scale: tuple[Annotated[float, Field(gt=0)], ...]

    def apply(self, matrix: Matrix) -> Matrix:
        """The scaled (rows, columns) matrix, NaN where it was."""
        return as_matrix((matrix - np.asarray(self.centre)) / np.asarray(self.scale))


class TimeToEvent(BaseModel):
    """Of a model that predicts the days until an event.

    Attributes:
        window_days: up to which day it is asked and measured.
        distribution: of the logarithms around the model's margin (``survival:aft``), whose answer is ``exp(margin)``;
            None for a model of the days counted up to the window.
        scale: of the distribution, by the validation part.
        censored: share of the training part without such an event when the log ended.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    window_days: int = Field(ge=1)
    distribution: Distribution | None = None
    scale: Annotated[float, Field(gt=0)] | None = None
    censored: float = Field(default=0, ge=0, le=1)

    @property
    def words(self) -> str:
        """What the number is, for people."""
        if self.distribution is None:
            return f"mean days from as_of until the next event, each counted up to {self.window_days}"
        sooner = "63%" if self.distribution == "extreme" else "half"
        return f"days from as_of until the next event; {sooner} of such records see it sooner"


class TrainingRecord(BaseModel):
    """What the model was made from, and how: with the release's files, everything needed to make it again.

    Attributes:
        data_sha256: of the encoded matrix and the labels of the training and the validation part; it covers no ids.
        seed: of everything drawn at random.
        feature_dropout: share of the features hidden in a second copy of the rows; records of earlier versions call it
            ``masking``.
        rounds: how many the trainer kept.
        validation_loss: log loss, or root mean squared error of a number, on the validation part as it was watched.
        train_rows: tenants it was trained on; ``validation_rows`` likewise.
        left_out_features: features of the use case that have no value, or one value only, in the training part.
        libraries: versions of the libraries that trained it.
    """

    model_config = ConfigDict(frozen=True)

    data_sha256: str
    seed: int
    feature_dropout: float = Field(validation_alias=AliasChoices("feature_dropout", "masking"))
    rounds: int
    validation_loss: float
    train_rows: int
    validation_rows: int
    left_out_features: tuple[str, ...]
    libraries: dict[str, str]


class ModelManifest(BaseModel):
    """``model.json``.

    Attributes:
        format: the version of this document; another one is refused.
        partition: the partition the model is for; ``slug`` is its name in keys.
        version: the id of the release that made it.
        trainer: the registered name of the trainer.
        model_file: the name of the file that holds what was trained.
        task: binary (answers the probability of ``positive_label``), multiclass (of each label) or regression.
        features: what the model reads, in order.
        categories: of the features that are categories: the values it knows, see ``encoding.Encoding``.
        sequences: of a network, the features that are one quantity at fixed lags, oldest first; empty for other models.
        labels: class names by number; empty for a number.
        positive_label: the last of them; None when there is no positive class.
        threshold: of two classes, the probability from which the answer is ``positive_label``: by the costs.
        calibration: from margins to probabilities; None for a number.
        scaling: of the columns, before a linear model reads them; None for trees.
        levels: what is added for a tenant's partition, which is then the last of ``features``; None for other models.
        time_to_event: of a model of the days until an event; None for other models.
        training: None for models from before records were kept.
        split: of the use case, where it is not the usual one; by it, the rows that the model was not trained on are
            found again.
        scale: ``global`` when portfolios may be compared by it, else ``local``; ``inherited`` when the groups were
            found on other tenants.
        as_of: the moment the features describe, ISO 8601, UTC.
        hyperparameters: as trained, defaults included.
        code_version: the version of this package that trained it.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = FORMAT
    partition: str
    slug: str
    version: str
    trainer: str
    model_file: Literal["model.ubj", "model.npz"] = MODEL_FILE
    task: Task = "binary"
    features: tuple[str, ...] = Field(min_length=1)
    categories: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    sequences: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    labels: tuple[str, ...] = (GOOD, BAD)
    positive_label: str | None = BAD
    threshold: float = Field(default=0.5, ge=0, le=1)
    calibration: Calibration | None = None
    scaling: Scaling | None = None
    levels: PartitionLevels | None = None
    time_to_event: TimeToEvent | None = None
    training: TrainingRecord | None = None
    split: Split | None = None
    scale: Scale
    as_of: str
    hyperparameters: dict[str, Any]
    code_version: str

    @field_validator("sequences")
    @classmethod
    def _in_the_order_of_json(cls, sequences: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return dict(sorted(sequences.items()))

    @field_validator("features")
    @classmethod
    def _distinct(cls, features: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(features)) != len(features):
            raise ValueError("a feature is named twice")
        return features

    @model_validator(mode="after")
    def _labels_of_the_task(self) -> Self:
        fits = {"binary": len(self.labels) == 2, "multiclass": len(self.labels) > 2, "regression": not self.labels}
        if not fits[self.task] or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels {self.labels} are not those of a {self.task} model")
        if self.time_to_event and (self.task != "regression" or self.levels):
            raise ValueError("time_to_event is for a number, without levels of partitions")
        if self.labels and self.positive_label not in (None, self.labels[-1]):
            raise ValueError(f"positive_label {self.positive_label!r} is not the last of the labels")
        return self

    @model_validator(mode="after")
    def _values_of_each_category(self) -> Self:
        for name, values in self.categories.items():
            if name not in self.features:
                raise ValueError(f"category {name!r} is not one of the features")
            if not values or len(set(values)) != len(values):
                raise ValueError(f"category {name!r} has no values, or one of them twice")
        return self

    @model_validator(mode="after")
    def _one_scale_for_each_column(self) -> Self:
        columns = len(self.encoding.columns) - (self.levels is not None)
        if self.scaling and not len(self.scaling.centre) == len(self.scaling.scale) == columns:
            raise ValueError(f"scaling is not of {columns} columns")
        return self

    @model_validator(mode="after")
    def _levels_of_the_partition(self) -> Self:
        if self.levels is None:
            return self
        if self.task == "multiclass":
            raise ValueError("levels are for two classes or a number")
        if self.levels.feature != self.features[-1] or len(self.features) < 2:
            raise ValueError(f"levels are of {self.levels.feature!r}, which is not the last of several features")
        if len(self.levels.level) != len(self.categories.get(self.levels.feature, ())):
            raise ValueError(f"levels are not those of the partitions in category {self.levels.feature!r}")
        return self

    @model_validator(mode="after")
    def _sequences_of_numbers(self) -> Self:
        steps = [name for names in self.sequences.values() for name in names]
        if len(set(steps)) != len(steps) or len({len(names) for names in self.sequences.values()}) > 1:
            raise ValueError("sequences name a feature twice, or are not equally long")
        if not {*self.features} - {*self.categories} >= {*steps}:
            raise ValueError("sequences name what is not a feature that is a number")
        if self.model_file == NETWORK_FILE and (not steps or self.scaling is not None):
            raise ValueError("a network has sequences, and scales its columns itself")
        return self

    @property
    def read_columns(self) -> tuple[str, ...]:
        """The columns that the trained model reads: all but the partition of ``levels``."""
        return self.encoding.columns[: None if self.levels is None else -1]

    @property
    def encoding(self) -> Encoding:
        """From features to the columns of the model's matrix."""
        return Encoding(self.features, self.categories, self.levels.feature if self.levels else None)

    def write(self, folder: Path, *, digests: bool = True) -> None:
        """Writes ``model.json`` into ``folder``: same content, same bytes.

        Args:
            folder: holds the model's other files already.
            digests: whether to write theirs; without them, the document is as earlier versions wrote it.
        """
        # What a model does not have is left out, so that it is written as earlier versions wrote it.
        later = {
            "levels": self.levels,
            "split": self.split,
            "time_to_event": self.time_to_event,
            "sequences": self.sequences,
            "model_file": self.model_file != MODEL_FILE,
        }
        document = self.model_dump(mode="json", exclude={name for name, has in later.items() if not has})
        document = with_digests(document, folder) if digests else document
        text = json.dumps(document, indent=2, sort_keys=True, allow_nan=False)
        (folder / MODEL_MANIFEST).write_text(text + "\n")


def read_manifest(folder: Path) -> ModelManifest:
    """Reads and checks ``model.json``, and the digests of the files beside it.

    Raises:
        UserError: as ``read_with_digest``.
    """
    return read_with_digest(folder)[0]


def read_with_digest(folder: Path) -> tuple[ModelManifest, str]:
    """Reads and checks ``model.json`` and the digests of the files beside it, and returns the model's digest too.

    Raises:
        UserError: ``model_incomplete`` when a file is missing, ``model_manifest`` when it cannot be read or is of
            another format, ``model_damaged`` when a file differs from its digest; the message names the file and the
            field.
    """
    content = _manifest_bytes(folder)
    path = folder / MODEL_MANIFEST
    try:
        manifest = ModelManifest.model_validate_json(content)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'document'}: {e['msg']}" for e in error.errors())
        raise UserError(f"{path} is not a manifest of format {FORMAT}: {faults}", code="model_manifest") from error
    _check_presence(folder, manifest.model_file)
    if found := damage(json.loads(content), folder):
        raise UserError(
            f"{path}: {found}; the model is damaged, so fetch its archive again, or release it again",
            code="model_damaged",
        )
    return manifest, digest_of(content)


def _check_presence(folder: Path, name: str) -> None:
    if not (folder / name).is_file():
        raise UserError(
            f"{name} is missing in {folder}, so this is not a model of this program", code="model_incomplete"
        )


def _manifest_bytes(folder: Path) -> bytes:
    if not any((folder / name).is_file() for name in (*MODEL_FILES, MODEL_MANIFEST)):
        _check_presence(folder, MODEL_FILE)
    _check_presence(folder, MODEL_MANIFEST)
    path = folder / MODEL_MANIFEST
    if path.stat().st_size > MANIFEST_LIMIT:
        raise UserError(
            f"{path} is larger than {MANIFEST_LIMIT} bytes, so it is not a model manifest", code="model_manifest"
        )
    return path.read_bytes()

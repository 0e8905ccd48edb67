"""A loaded model that answers: the only way to score, for the evaluation, the smoke test and the container."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tenant_experience.data_layout import MODEL_FILE
from tenant_experience.errors import UserError
from tenant_experience.models._booster_structure import check_booster
from tenant_experience.models.artifact import ModelManifest, read_with_digest
from tenant_experience.models.calibration import Calibration
from tenant_experience.models.encoding import Matrix
from tenant_experience.models.partition_levels import PartitionLevels
from tenant_experience.statistics.arrays import Floats

if TYPE_CHECKING:
    import xgboost

# Nearer to 0 or 1, a threshold has no log-odds that JSON can say.
_LEAST_THRESHOLD = 1e-15
# A damaged model may answer with more days than a number can hold, and JSON has no infinity.
_MOST_DAYS = float(np.finfo(np.float32).max)


class Scorer:
    """One model in memory, safe to use from several threads at once.

    XGBoost's prediction by trees takes no lock and is thread-safe, but a booster configures itself on its first call.
    So loading ends with one prediction, after which no call changes the booster. XGBoost does not promise this for
    linear models, so they answer one caller at a time. A prediction uses one thread, because a row costs less than
    waking a pool, and the server's own threads already use the cores.

    Attributes:
        manifest: what the model is.
        digest: the SHA-256 of its ``model.json`` (``digests``); empty when the model was not read from a folder.
        encoding: from features to columns.

    Raises:
        UserError: ``model_unreadable``, ``model_features``.
    """

    def __init__(self, booster: xgboost.Booster, manifest: ModelManifest, digest: str = "") -> None:
        import xgboost

        self.manifest = manifest
        self.digest = digest
        self.encoding = manifest.encoding
        self._booster = booster
        self._turn = nullcontext() if manifest.scaling is None else Lock()
        # Without a calibration, the model's output is answered unchanged.
        self._calibration = manifest.calibration or Calibration()
        booster.set_param({"nthread": 1})
        self._levels = manifest.levels
        self._times = manifest.time_to_event
        columns, names = list(self.encoding.columns[: None if self._levels is None else -1]), booster.feature_names
        if booster.num_features() != len(columns) or (names and list(names) != columns):
            raise UserError(
                f"model.ubj wants {names or booster.num_features()}, model.json names {columns}: "
                "they do not belong together",
                code="model_features",
            )
        distributed = self._times is not None and self._times.distribution is not None
        if distributed != (_objective(booster) == "survival:aft"):
            raise UserError(
                "of model.ubj and model.json, one is of times until an event and the other is not: they do not belong "
                "together",
                code="model_features",
            )
        try:
            first = self.margins(np.full((1, len(self.encoding.columns)), np.nan, dtype=np.float32))
        except xgboost.core.XGBoostError as error:
            raise _unreadable(error) from error
        shape = first.shape
        if not np.isfinite(first).all():
            raise _unreadable(ValueError("it answers with numbers that are not finite"))
        if shape != ((1, len(manifest.labels)) if manifest.task == "multiclass" else (1,)):
            raise UserError(
                f"model.ubj answers with {shape[1:]} numbers a row, model.json says {manifest.task} of "
                f"{len(manifest.labels)} labels: they do not belong together",
                code="model_features",
            )

    @classmethod
    def load(cls, folder: Path) -> Scorer:
        """Reads ``model.json`` and ``model.ubj`` from ``folder``.

        Raises:
            UserError: as ``read_with_digest``, ``model_unreadable`` or ``model_features``.
        """
        manifest, digest = read_with_digest(folder)
        return cls.of((folder / MODEL_FILE).read_bytes(), manifest, digest)

    @classmethod
    def of(cls, content: bytes, manifest: ModelManifest, digest: str = "") -> Scorer:
        """From the bytes of ``model.ubj``.

        Raises:
            UserError: ``model_unreadable`` or ``model_features``.
        """
        import xgboost

        booster = xgboost.Booster()
        try:
            check_booster(content)
            booster.load_model(bytearray(content))
        except (ValueError, xgboost.core.XGBoostError) as error:
            raise _unreadable(error) from error
        return cls(booster, manifest, digest)

    def margins(self, matrix: Matrix) -> NDArray[np.float32]:
        """The raw output of the model: (rows,) log-odds or numbers; (rows, classes) logarithms up to a constant."""
        if self.manifest.scaling is None:
            read = np.ascontiguousarray(self.features(matrix))
            return self._booster.inplace_predict(read, missing=np.nan, validate_features=False, predict_type="margin")
        return self._predict(matrix, output_margin=True)

    def outputs(self, matrix: Matrix) -> Floats:
        """The model's answers to a (rows, columns) matrix as encoded, NaN = missing.

        Returns:
            Two classes: P(positive label), (rows,). Several: P(each label), (rows, labels). Regression: the number,
            (rows,). Probabilities are calibrated. Of times until an event with a distribution, the number is
            ``exp(margin)``, as XGBoost computes it; of those counted up to a window, no
            answer is below 0 or beyond the window.
        """
        if self._times is not None and self._times.distribution is not None:
            read = np.ascontiguousarray(matrix)
            days = self._booster.inplace_predict(read, missing=np.nan, validate_features=False)
            return np.minimum(days.astype(np.float64), _MOST_DAYS)
        margins = self.margins(matrix)
        if self._levels is not None:
            return self._of_partitions(self._levels, margins, matrix)
        if self._times is not None:
            return np.clip(margins.astype(np.float64), 0, self._times.window_days)
        if self.manifest.task == "regression":
            return margins.astype(np.float64)
        return self._calibration.probabilities(margins)

    def common(self, matrix: Matrix) -> Floats:
        """(rows,) the calibrated log-odds, or the number, that the levels of partitions start from."""
        margins = self.margins(matrix).astype(np.float64)
        return margins if self.manifest.task == "regression" else self._calibration.log_odds(margins)

    def has_level(self, matrix: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(rows,) whether a level was fitted for each tenant's partition."""
        if self._levels is None:
            return np.zeros(len(matrix), dtype=bool)
        return self._levels.known(matrix[:, -1])

    def features(self, matrix: Matrix) -> Matrix:
        """The columns that the booster reads: all but the partition."""
        return matrix if self._levels is None else matrix[:, :-1]

    def probabilities(self, matrix: Matrix) -> Floats:
        """P(positive label) of a model of two classes, shape (rows,)."""
        return self.outputs(matrix)

    def classes(self, outputs: Floats) -> NDArray[np.intp]:
        """(rows,) the number of the label that ``outputs`` mean: by the threshold of the costs, or the likeliest."""
        if self.manifest.task == "binary":
            return np.asarray(outputs >= self.manifest.threshold).astype(np.intp)
        return np.asarray(outputs.argmax(axis=1))

    def contributions(self, matrix: Matrix) -> NDArray[np.float32]:
        """What each feature adds to the answer, shape (rows, features). Together with the model's bias they sum to it.

        The answer is the calibrated log-odds of the positive label; of several labels without a positive one, the
        logarithm of each row's most likely label; in regression, the number, or the logarithm of the days until an
        event where these have a distribution.
        """
        added = self._predict(matrix, pred_contribs=True)
        if self.manifest.task == "multiclass":
            added = added[np.arange(len(added)), self._explained(matrix)]
        if self._levels is not None:
            by_feature, _ = self._with_levels(self._levels, added.astype(np.float64), matrix, 0.0)
            return by_feature.astype(np.float32)
        return self.encoding.by_feature(added[:, :-1]) * np.float32(self._slope)

    def reasons(self, matrix: Matrix) -> tuple[Floats, Floats]:
        """What speaks for a label, by feature.

        Returns:
            (rows, features) and (rows,), what no feature adds. Two labels: for the positive one; the sum of both is the
            calibrated log-odds above those of the threshold, so it is at least 0 where the answer is positive. Several:
            for the likeliest label rather than the next likeliest; the sum is the logarithm of how much likelier it is.
            Regression: the sum is the number, or the logarithm of the days.
        """
        added = self._predict(matrix, pred_contribs=True).astype(np.float64)
        offset = 0.0
        if self.manifest.task == "multiclass":
            rows, order = np.arange(len(added)), np.argsort(-self.margins(matrix), axis=1, kind="stable")
            added = added[rows, order[:, 0]] - added[rows, order[:, 1]]
        elif self.manifest.task == "binary":
            threshold = np.clip(self.manifest.threshold, _LEAST_THRESHOLD, 1 - _LEAST_THRESHOLD)
            offset = -float(np.log(threshold / (1 - threshold)))
        if self._levels is not None:
            return self._with_levels(self._levels, added, matrix, offset)
        if self.manifest.task == "binary":
            offset += self._calibration.intercept
        by_feature = np.add.reduceat(added[:, :-1], self.encoding.first_columns, axis=1)
        return by_feature * self._slope, added[:, -1] * self._slope + offset

    def _of_partitions(self, levels: PartitionLevels, margins: NDArray[np.float32], matrix: Matrix) -> Floats:
        """What is answered with the levels of partitions: probabilities, or numbers."""
        number = self.manifest.task == "regression"
        common = margins.astype(np.float64) if number else self._calibration.log_odds(margins)
        level, factor = levels.effects(matrix[:, -1])
        answer = level + factor * common
        return answer if number else Calibration().probabilities(answer)

    def _with_levels(
        self, levels: PartitionLevels, added: Floats, matrix: Matrix, offset: float
    ) -> tuple[Floats, Floats]:
        """What each feature adds, the partition last, and what no feature adds; together the answer plus ``offset``."""
        level, factor = levels.effects(matrix[:, -1])
        of_features = np.add.reduceat(added[:, :-1], self.encoding.first_columns[:-1], axis=1)
        common = self._calibration.intercept if self.manifest.task == "binary" else 0.0
        baseline = factor * (added[:, -1] * self._slope + common) + offset
        return np.column_stack([of_features * (self._slope * factor)[:, np.newaxis], level]), baseline

    @property
    def _slope(self) -> float:
        return 1.0 if self.manifest.task == "regression" else self._calibration.slope

    def _explained(self, matrix: Matrix) -> NDArray[np.intp]:
        if self.manifest.positive_label is not None:
            return np.full(len(matrix), len(self.manifest.labels) - 1)
        return np.asarray(self.margins(matrix).argmax(axis=1))

    def _predict(self, matrix: Matrix, **options: bool) -> NDArray[np.float32]:
        import xgboost

        read = self.features(matrix)
        scaled = read if self.manifest.scaling is None else self.manifest.scaling.apply(read)
        data = xgboost.DMatrix(scaled, missing=np.nan, nthread=1, feature_names=self._booster.feature_names)
        with self._turn:
            return self._booster.predict(data, **options)


def _objective(booster: xgboost.Booster) -> str:
    return str(json.loads(booster.save_config())["learner"]["objective"]["name"])


def _unreadable(error: Exception) -> UserError:
    reason = str(error).splitlines()[0]
    return UserError(f"{MODEL_FILE} is not an XGBoost model of this program: {reason}", code="model_unreadable")

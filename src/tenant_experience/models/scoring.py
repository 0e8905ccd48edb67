"""A loaded model that answers: the only way to score, for the evaluation, the smoke test and the container."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tenant_experience.data_layout import MODEL_FILE, NETWORK_FILE
from tenant_experience.errors import UserError
from tenant_experience.models.artifact import ModelManifest, read_with_digest
from tenant_experience.models.booster import Booster
from tenant_experience.models.calibration import Calibration
from tenant_experience.models.encoding import Matrix
from tenant_experience.models.network import Layout, Network
from tenant_experience.models.network_file import read_arrays
from tenant_experience.models.partition_levels import PartitionLevels
from tenant_experience.statistics.arrays import Floats

# Nearer to 0 or 1, a threshold has no log-odds that JSON can say.
_LEAST_THRESHOLD = 1e-15
# A damaged model may answer with more days than a number can hold, and JSON has no infinity.
_MOST_DAYS = float(np.finfo(np.float32).max)


class Predictor(Protocol):
    """What a model's file holds, in memory. Several threads may call it at once."""

    def margins(self, matrix: Matrix) -> NDArray[np.float32]:
        """The raw output for (rows, columns), NaN = missing.

        Returns:
            (rows,) log-odds or numbers; (rows, classes) logarithms up to a constant.
        """

    def contributions(self, matrix: Matrix) -> NDArray[np.floating]:
        """What each column adds to the raw output, and last what none adds; together they are the raw output.

        Returns:
            (rows, columns + 1), or (rows, classes, columns + 1).
        """


class Scorer:
    """One model in memory, safe to use from several threads at once.

    Attributes:
        manifest: what the model is.
        digest: the SHA-256 of its ``model.json`` (``digests``); empty when the model was not read from a folder.
        encoding: from features to columns.

    Raises:
        UserError: ``model_unreadable``, ``model_features``.
    """

    def __init__(self, predictor: Predictor, manifest: ModelManifest, digest: str = "") -> None:
        self.manifest = manifest
        self.digest = digest
        self.encoding = manifest.encoding
        self._predictor = predictor
        # Without a calibration, the model's output is answered unchanged.
        self._calibration = manifest.calibration or Calibration()
        self._levels = manifest.levels
        self._times = manifest.time_to_event
        try:
            first = self.margins(np.full((1, len(self.encoding.columns)), np.nan, dtype=np.float32))
        except ValueError as error:
            raise _unreadable(error, manifest) from error
        shape = first.shape
        if not np.isfinite(first).all():
            raise _unreadable(ValueError("it answers with numbers that are not finite"), manifest)
        if shape != ((1, len(manifest.labels)) if manifest.task == "multiclass" else (1,)):
            raise UserError(
                f"{manifest.model_file} answers with {shape[1:]} numbers a row, model.json says {manifest.task} of "
                f"{len(manifest.labels)} labels: they do not belong together",
                code="model_features",
            )

    @classmethod
    def load(cls, folder: Path) -> Scorer:
        """Reads ``model.json`` and the model's file from ``folder``.

        Raises:
            UserError: as ``read_with_digest``, ``model_unreadable`` or ``model_features``.
        """
        manifest, digest = read_with_digest(folder)
        return cls.of((folder / manifest.model_file).read_bytes(), manifest, digest)

    @classmethod
    def of(cls, content: bytes, manifest: ModelManifest, digest: str = "") -> Scorer:
        """From the bytes of the model's file.

        Raises:
            UserError: ``model_unreadable`` or ``model_features``.
        """
        try:
            predictor = _READERS[manifest.model_file](content, manifest)
        except ValueError as error:
            raise _unreadable(error, manifest) from error
        return cls(predictor, manifest, digest)

    def margins(self, matrix: Matrix) -> NDArray[np.float32]:
        """The raw output of the model: (rows,) log-odds or numbers; (rows, classes) logarithms up to a constant."""
        return self._predictor.margins(self.features(matrix))

    def outputs(self, matrix: Matrix) -> Floats:
        """The model's answers to a (rows, columns) matrix as encoded, NaN = missing.

        Returns:
            Two classes: P(positive label), (rows,). Several: P(each label), (rows, labels). Regression: the number,
            (rows,). Probabilities are calibrated. Of times until an event with a distribution, the number is
            ``exp(margin)``, as XGBoost computes it; of those counted up to a window, no
            answer is below 0 or beyond the window.
        """
        if isinstance(self._predictor, Booster) and self._predictor.is_of_times:
            return np.minimum(self._predictor.days(matrix).astype(np.float64), _MOST_DAYS)
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
        """The columns that the predictor reads: all but the partition."""
        return matrix if self._levels is None else matrix[:, :-1]

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
        added = self._predictor.contributions(self.features(matrix))
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
        added = self._predictor.contributions(self.features(matrix)).astype(np.float64)
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


def _unreadable(error: Exception, manifest: ModelManifest) -> UserError:
    kind = "an XGBoost model" if manifest.model_file == MODEL_FILE else "a network"
    return UserError(
        f"{manifest.model_file} is not {kind} of this program: {str(error).splitlines()[0]}", code="model_unreadable"
    )


def _read_network(content: bytes, manifest: ModelManifest) -> Network:
    if manifest.time_to_event is not None and manifest.time_to_event.distribution is not None:
        raise ValueError("a network does not answer with times until an event")
    layout = Layout.named(manifest.read_columns, manifest.sequences)
    return Network(read_arrays(content), layout, len(manifest.labels) if manifest.task == "multiclass" else 1)


# What reads each kind of a model's file. It raises ``ValueError``, or ``UserError`` as ``Scorer.of``.
_READERS: Mapping[str, Callable[[bytes, ModelManifest], Predictor]] = {
    MODEL_FILE: Booster.read,
    NETWORK_FILE: _read_network,
}

"""A loaded model that answers: the one way to score, for evaluation, the smoke test and the container alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tenant_experience.data_layout import MODEL_FILE
from tenant_experience.encoding import Matrix
from tenant_experience.errors import UserError
from tenant_experience.model_artifact import ModelManifest, read_manifest

if TYPE_CHECKING:
    import xgboost


class Scorer:
    """One model in memory, safe to use from several threads at once.

    XGBoost's prediction takes no lock and is thread-safe for tree boosters, but a booster configures itself lazily on
    its first call. So loading ends with one prediction: after that no call changes the booster. One thread a
    prediction: a row costs less than waking a pool, and the server's own threads already use the cores.
    """

    def __init__(self, booster: xgboost.Booster, manifest: ModelManifest) -> None:
        self.manifest = manifest
        self._booster = booster
        booster.set_param({"nthread": 1})
        self.encoding = manifest.encoding
        self.probabilities(np.full((1, len(self.encoding.columns)), np.nan, dtype=np.float32))

    @classmethod
    def load(cls, folder: Path) -> Scorer:
        """Reads ``model.json`` and ``model.ubj`` from ``folder``.

        Raises:
            UserError: ``model_incomplete``, ``model_manifest``, ``model_unreadable`` or ``model_features``.
        """
        import xgboost

        manifest = read_manifest(folder)
        booster = xgboost.Booster()
        try:
            booster.load_model(folder / MODEL_FILE)
        except xgboost.core.XGBoostError as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{folder / MODEL_FILE} is no XGBoost model: {reason}", code="model_unreadable") from error
        names, columns = booster.feature_names, list(manifest.encoding.columns)
        if booster.num_features() != len(columns) or (names and list(names) != columns):
            raise UserError(
                f"{folder}: model.ubj wants {names or booster.num_features()}, model.json names {columns}: "
                "they are not of one model",
                code="model_features",
            )
        return cls(booster, manifest)

    def probabilities(self, matrix: Matrix) -> NDArray[np.float32]:
        """P(positive label), shape (rows,), of a (rows, columns) matrix as encoded, NaN = missing."""
        return self._booster.inplace_predict(matrix, missing=np.nan, validate_features=False)

    def contributions(self, matrix: Matrix) -> NDArray[np.float32]:
        """What each feature adds to the log-odds, shape (rows, features); with the model's bias they sum to it."""
        import xgboost

        data = xgboost.DMatrix(matrix, missing=np.nan, nthread=1, feature_names=self._booster.feature_names)
        return self.encoding.by_feature(self._booster.predict(data, pred_contribs=True)[:, :-1])

    def label(self, probability: float) -> str:
        """The answer in a word: the positive label from the manifest's threshold on, else the other one."""
        negative, positive = self.manifest.labels
        return positive if probability >= self.manifest.threshold else negative

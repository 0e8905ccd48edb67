"""``model.ubj``: trees or a linear model in XGBoost's format, whichever library trained them."""

from __future__ import annotations

import json
from contextlib import nullcontext
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tenant_experience.errors import UserError
from tenant_experience.models._booster_structure import check_booster
from tenant_experience.models.artifact import ModelManifest
from tenant_experience.models.encoding import Matrix

if TYPE_CHECKING:
    import xgboost


class Booster:
    """See ``scoring.Predictor``.

    XGBoost's prediction by trees takes no lock and is thread-safe, but a booster configures itself on its first call.
    So the first call is made while loading, by ``Scorer``, after which no call changes the booster. XGBoost does not
    promise this for linear models, so they answer one caller at a time. A prediction uses one thread, because a row
    costs less than waking a pool, and the server's own threads already use the cores.
    """

    def __init__(self, booster: xgboost.Booster, manifest: ModelManifest) -> None:
        self._booster = booster
        self._objective = str(json.loads(booster.save_config())["learner"]["objective"]["name"])
        self._scaling = manifest.scaling
        self._turn = nullcontext() if manifest.scaling is None else Lock()

    @classmethod
    def read(cls, content: bytes, manifest: ModelManifest) -> Booster:
        """From the bytes of ``model.ubj``.

        Raises:
            ValueError: it is not a model that this program wrote.
            UserError: ``model_features``: it reads other columns than the manifest names.
        """
        import xgboost

        booster = xgboost.Booster()
        check_booster(content)
        booster.load_model(bytearray(content))
        booster.set_param({"nthread": 1})
        names, columns = booster.feature_names, list(manifest.read_columns)
        if booster.num_features() != len(columns) or (names and list(names) != columns):
            raise UserError(
                f"model.ubj wants {names or booster.num_features()}, model.json names {columns}: "
                "they do not belong together",
                code="model_features",
            )
        found = cls(booster, manifest)
        times = manifest.time_to_event
        if found.is_of_times != (times is not None and times.distribution is not None):
            raise UserError(
                "of model.ubj and model.json, one is of times until an event and the other is not: they do not belong "
                "together",
                code="model_features",
            )
        return found

    @property
    def is_of_times(self) -> bool:
        """Whether it was trained on times until an event that have a distribution."""
        return self._objective == "survival:aft"

    def days(self, matrix: Matrix) -> NDArray[np.float32]:
        """(rows,) the days until an event, ``exp(margin)`` as XGBoost computes it."""
        return self._booster.inplace_predict(np.ascontiguousarray(matrix), missing=np.nan, validate_features=False)

    def margins(self, matrix: Matrix) -> NDArray[np.float32]:
        """As ``Predictor.margins``."""
        if self._scaling is None:
            read = np.ascontiguousarray(matrix)
            return self._booster.inplace_predict(read, missing=np.nan, validate_features=False, predict_type="margin")
        return self._predict(matrix, output_margin=True)

    def contributions(self, matrix: Matrix) -> NDArray[np.float32]:
        """As ``Predictor.contributions``: SHAP values."""
        return self._predict(matrix, pred_contribs=True)

    def _predict(self, matrix: Matrix, **options: bool) -> NDArray[np.float32]:
        import xgboost

        scaled = matrix if self._scaling is None else self._scaling.apply(matrix)
        data = xgboost.DMatrix(scaled, missing=np.nan, nthread=1, feature_names=self._booster.feature_names)
        with self._turn:
            return self._booster.predict(data, **options)

"""A logistic regression that sees few rows: with a strong penalty, so that it does not learn chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tenant_experience.statistics.arrays import Floats

# scikit-learn's C: the penalty on squared weights of standardised columns is 1 / C.
STRENGTH = 0.05


@dataclass(frozen=True)
class Regression:
    """A fitted regression of standardised columns; a missing value counts as the median. Use it in ``one_thread``."""

    _pipeline: Any

    @classmethod
    def of(cls, rows: Floats, flags: NDArray[np.bool_]) -> Self:
        """From (rows, columns), NaN = missing, and whether each row is what is asked; both must occur."""
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        fill = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
        regression = LogisticRegression(C=STRENGTH, max_iter=1_000)
        return cls(make_pipeline(fill, StandardScaler(), regression).fit(rows, flags))

    def log_odds(self, rows: Floats) -> Floats:
        """(rows,) the log-odds that a row is what is asked."""
        odds: Floats = self._pipeline.decision_function(rows) if len(rows) else np.empty(0)
        return odds

    def probability(self, rows: Floats) -> Floats:
        """(rows,) the probability that a row is what is asked."""
        chances: Floats = self._pipeline.predict_proba(rows)[:, 1] if len(rows) else np.empty(0)
        return chances

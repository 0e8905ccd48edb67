"""Whether groups are more than an accident of the method: refits on redrawn tenants, on shuffled and on smooth data.

Every draw is seeded and made from rows in a fixed order, so that the same tenants give the same figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tenant_experience.groups._methods import explained_variance, find_groups
from tenant_experience.groups._rule import GroupRule
from tenant_experience.groups.grouping import Stability
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.ranks import impute, probability_worse
from tenant_experience.use_case.labels import Method

REFITS = 20
SMOOTH_DRAWS = 5
SMOOTH_ROUNDS = 10
FOLDS = 5


@dataclass(frozen=True)
class Evidence:
    """A method, and the tenants that it is tried on.

    Attributes:
        rule: the groups to check.
        values: (rows, markers) transformed values of tenants of the training part, gaps filled.
        directions: of the markers.
        method: the method that found the groups.
    """

    rule: GroupRule
    values: Floats
    directions: Sequence[int]
    method: Method

    def stability(self) -> Stability:
        """The adjusted Rand index of each refit on tenants drawn with replacement; all are compared on these rows."""
        from sklearn.metrics import adjusted_rand_score

        chance = np.random.default_rng(0)
        labels = self.rule.assign(self.values).astype(np.int64)
        agreements = []
        for _ in range(REFITS):
            refit = self._refit(self.values[chance.integers(0, len(self.values), len(self.values))])
            agreements.append(adjusted_rand_score(labels, refit.assign(self.values).astype(np.int64)))
        return Stability(
            ari_median=float(np.median(agreements)), ari_minimum=float(np.min(agreements)), refits=len(agreements)
        )

    def permuted_variance(self) -> float:
        """The largest explained variance of refits on separately shuffled columns, which have no structure."""
        chance = np.random.default_rng(1)
        rows = self.rule.space.standardise(self.values)
        return max(self._explained(chance.permuted(rows, axis=0)) for _ in range(REFITS))

    def with_groups(self, groups: int) -> Evidence:
        """The same tenants in another number of groups.

        Raises:
            AlgorithmError: as ``find_groups``.
        """
        rule, _ = find_groups(self.values, self.directions, self.method, groups)
        return replace(self, rule=rule)

    def explained_variance(self) -> float:
        """The share of the tenants' variance that lies between the groups."""
        return explained_variance(self.rule.space.standardise(self.values), self.rule.assign(self.values))

    def copula_variance(self) -> float:
        """The mean explained variance of refits on a Gaussian copula with the same margins and correlations.

        The correlations of its normal variables are moved until those of the resulting values are the same ones
        (NORTA: Cario and Nelson, 1997): margins with many equal values weaken them.
        """
        chance = np.random.default_rng(2)
        rows = self.rule.space.standardise(self.values)
        margins, target = np.sort(rows, axis=0), _correlations(rows)
        latent, normal = target, chance.standard_normal(rows.shape)
        for _ in range(SMOOTH_ROUNDS):
            latent = np.clip(latent + target - _correlations(_smooth(normal, latent, margins)), -0.99, 0.99)
            np.fill_diagonal(latent, 1)
        draws = (chance.standard_normal(rows.shape) for _ in range(SMOOTH_DRAWS))
        return float(np.mean([self._explained(_smooth(draw, latent, margins)) for draw in draws]))

    def _refit(self, values: Floats) -> GroupRule:
        return find_groups(values, self.directions, self.method, len(self.rule.centroids))[0]

    def _explained(self, rows: Floats) -> float:
        rule = self._refit(rows)
        rows = rule.space.standardise(rows)
        return explained_variance(rows, rule.place(rows))


def predicted_by(features: Floats, positive: NDArray[np.bool_]) -> float | None:
    """How well a logistic regression of some features alone separates the rows: its cross-validated ROC AUC.

    Args:
        features: (rows, features), NaN where unknown; read as the median.
        positive: (rows,) what is to be predicted.

    Returns:
        Between 0 and 1; None without features, or with too few rows of a kind for every fold.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = features[:, ~np.isnan(features).all(axis=0)]
    features = impute(features, np.nanmedian(features, axis=0))
    if not features.shape[1] or min(positive.sum(), (~positive).sum()) < FOLDS:
        return None
    model = make_pipeline(StandardScaler(), LogisticRegression())
    scores = cross_val_predict(model, features, positive, cv=StratifiedKFold(FOLDS), method="decision_function")
    return probability_worse(scores, positive, 1)


def _correlations(rows: Floats) -> Floats:
    correlations: Floats = np.atleast_2d(np.corrcoef(rows, rowvar=False))
    return correlations


def _smooth(normal: Floats, latent: Floats, margins: Floats) -> Floats:
    """The values of ``margins`` (each column ascending), arranged as correlated normal variables are."""
    values, vectors = np.linalg.eigh(latent)
    correlated = normal @ (vectors * np.sqrt(np.clip(values, 0, None))).T
    return np.take_along_axis(margins, np.argsort(np.argsort(correlated, axis=0), axis=0), axis=0)

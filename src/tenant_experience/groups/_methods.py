"""How groups are found on transformed markers. Nothing is drawn at random, and the order of rows does not matter.

Call it within ``one_thread``: sums over several chunks round differently with another number of cores.

Why this recipe: on real data, plain or robust scaling gives a "bad" group that answers faster, and random starts move
tenants between runs. So the start is fixed: the means of the thirds of the tenants by their rank score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenant_experience.errors import AlgorithmError
from tenant_experience.groups._rule import GroupRule, Mixture, Space
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.ranks import severity_scores, thirds
from tenant_experience.use_case.labels import Method

MAX_ITERATIONS = 1_000
MIXTURE_TOLERANCE = 1e-5
# Added to each variance of a mixture, which would be zero where, say, no tenant of a group has an escalation.
LEAST_VARIANCE = 1e-2


@dataclass(frozen=True)
class _Found:
    """The result of a method, its groups in no order: their centres, the group of each row, and the iterations."""

    centroids: Floats
    labels: NDArray[np.integer]
    iterations: int
    mixture: Mixture | None = None


def find_groups(values: Floats, directions: Sequence[int], method: Method, groups: int) -> tuple[GroupRule, int]:
    """Finds groups and orders them by their mean rank score, from the best off to the worst off.

    Args:
        values: (rows, markers) transformed values, gaps filled.
        directions: of the markers: +1 when more is worse, -1 when more is better.
        method: kmeans, gaussian_mixture or ward.
        groups: 2 or 3.

    Returns:
        The rule, and the iterations it took.

    Raises:
        AlgorithmError: ``no_variation`` when there are not enough different rows, ``not_converged``.
    """
    space = Space.of(values)
    rows, scores = space.standardise(values), severity_scores(values, directions)
    if len(rows) < 3 or not _differ(rows, groups):
        raise _too_alike(rows, groups)
    third = thirds(scores)
    start = np.stack([rows[third == part].mean(axis=0) for part in ((0, 2) if groups == 2 else (0, 1, 2))])
    found = _METHODS[method](rows, start)
    if len(np.unique(found.labels)) < groups:
        raise _too_alike(rows, groups)
    order = np.argsort([scores[found.labels == group].mean() for group in range(groups)], kind="stable")
    mixture = found.mixture and Mixture(found.mixture.weights[order], found.mixture.variances[order])
    return GroupRule(space, found.centroids[order], mixture), found.iterations


def explained_variance(rows: Floats, labels: NDArray[np.floating]) -> float:
    """The share of the variance of (rows, markers) that lies between the groups that ``labels`` numbers."""
    centred = rows - rows.mean(axis=0)
    between = 0.0
    for group in np.unique(labels):
        members = centred[labels == group]
        between += len(members) * float((members.mean(axis=0) ** 2).sum())
    return between / float((centred**2).sum())


def _differ(rows: Floats, wanted: int) -> bool:
    """Whether at least ``wanted`` rows are different ones."""
    for _ in range(wanted - 1):
        rows = rows[(rows != rows[0]).any(axis=1)]
        if not len(rows):
            return False
    return True


def _too_alike(rows: Floats, groups: int) -> AlgorithmError:
    return AlgorithmError(
        f"the {len(rows)} rows of the training part do not differ enough on the markers to form {groups} groups",
        code="no_variation",
    )


def _not_converged(method: str) -> AlgorithmError:
    return AlgorithmError(f"{method} still moved rows after {MAX_ITERATIONS} iterations", code="not_converged")


def _kmeans(rows: Floats, start: Floats) -> _Found:
    from sklearn.cluster import KMeans

    fit = KMeans(n_clusters=len(start), init=start, n_init=1, tol=0, max_iter=MAX_ITERATIONS).fit(rows)
    if fit.n_iter_ >= MAX_ITERATIONS:
        raise _not_converged("KMeans")
    return _Found(_means(rows, fit.labels_, len(start)), fit.labels_, int(fit.n_iter_))


def _gaussian_mixture(rows: Floats, start: Floats) -> _Found:
    from sklearn.mixture import GaussianMixture

    fit = GaussianMixture(
        n_components=len(start),
        covariance_type="diag",
        tol=MIXTURE_TOLERANCE,
        reg_covar=LEAST_VARIANCE,
        max_iter=MAX_ITERATIONS,
        weights_init=np.full(len(start), 1 / len(start)),
        means_init=start,
        precisions_init=np.ones_like(start),
    ).fit(rows)
    if not fit.converged_:
        raise _not_converged("the Gaussian mixture")
    return _Found(fit.means_, fit.predict(rows), int(fit.n_iter_), Mixture(fit.weights_, fit.covariances_))


def _ward(rows: Floats, start: Floats) -> _Found:
    from sklearn.cluster import AgglomerativeClustering

    labels = AgglomerativeClustering(n_clusters=len(start), linkage="ward").fit(rows).labels_
    return _Found(_means(rows, labels, len(start)), labels, 1)


def _means(rows: Floats, labels: NDArray[np.integer], groups: int) -> Floats:
    # Computed from the labels, so that it does not matter how the library sums up centroids. An empty group has none.
    present = [rows[labels == group] for group in range(groups)]
    return np.stack([members.mean(axis=0) if len(members) else np.full(rows.shape[1], np.nan) for members in present])


_METHODS: dict[Method, Callable[[Floats, Floats], _Found]] = {
    "kmeans": _kmeans,
    "gaussian_mixture": _gaussian_mixture,
    "ward": _ward,
}

"""One partition's model, judged on the test part alone, and its groups described."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenant_experience.encoding import Matrix
from tenant_experience.errors import AlgorithmError
from tenant_experience.feature_table import FeatureTable
from tenant_experience.group_file import GroupRows
from tenant_experience.group_profile import feature_profile, portfolio_shares
from tenant_experience.grouping import Grouping
from tenant_experience.metrics import (
    calibration_table,
    classification_metrics,
    confusion,
    precision_recall_curve,
    roc_curve,
)
from tenant_experience.model_artifact import ModelManifest
from tenant_experience.scoring import Scorer
from tenant_experience.splitting import SHARES, TEST
from tenant_experience.use_case import UseCase

SMOKE_TEST_TENANTS = 8
SMOKE_TEST_TOLERANCE = 1e-6


@dataclass(frozen=True)
class PartitionEvaluation:
    """All that evaluation.json, the report and the outcome tell of a partition.

    Attributes:
        manifest: of the model.
        grouping: the rule its labels come from; None when they come from a column.
        tenants: how many have a group.
        bad: how many of these are of the bad group.
        counts: per part of the split, and ``none`` for tenants that only got a group: tenants, and how many are bad.
        metrics: by name, on the test part.
        confusion: on the test part.
        calibration: on the test part, by tenths.
        profile: per feature, all tenants with a group.
        portfolios: share of bad, all tenants with a group.
        importance: per feature, on the test part.
        roc: points of the curve, for the plot.
        precision_recall: points of the curve, for the plot.
        smoke_test: instances and the probabilities this model gives them.
    """

    manifest: ModelManifest
    grouping: Grouping | None
    tenants: int
    bad: int
    counts: dict[str, dict[str, int]]
    metrics: dict[str, float]
    confusion: dict[str, int]
    calibration: list[dict[str, Any]]
    profile: list[dict[str, Any]]
    portfolios: list[dict[str, Any]]
    importance: list[dict[str, Any]]
    roc: list[tuple[float, float]]
    precision_recall: list[tuple[float, float]]
    smoke_test: dict[str, Any]

    @property
    def bad_share(self) -> float:
        """Share of tenants in the bad group."""
        return self.bad / self.tenants

    def document(self) -> dict[str, Any]:
        """The partition's part of evaluation.json: all but the curves and the smoke test."""
        told = ("tenants", "bad", "bad_share", "counts", "metrics", "confusion", "calibration", "profile")
        return {
            "partition": self.manifest.partition,
            "slug": self.manifest.slug,
            "version": self.manifest.version,
            "scale": self.manifest.scale,
            **{name: getattr(self, name) for name in (*told, "portfolios", "importance")},
            "model": self.manifest.model_dump(mode="json"),
            "grouping": self.grouping.model_dump(mode="json") if self.grouping else None,
        }


def evaluate_partition(table: FeatureTable, groups: GroupRows, folder: Path, use_case: UseCase) -> PartitionEvaluation:
    """Scores the test part with the model in ``folder``.

    Args:
        table: features of the release's tenants.
        groups: the partition's rows of groups.parquet.
        folder: holds model.ubj, model.json and, when labels come from clusters, grouping.json.
        use_case: directions and names.

    Raises:
        AlgorithmError: ``one_class`` when the test part holds tenants of one group only.
    """
    scorer = Scorer.load(folder)
    grouping = Grouping.read(folder) if use_case.clustering else None
    table = groups.align(table)
    chosen = groups.split == TEST
    labels = groups.bad[chosen]
    if len(np.unique(labels)) < 2:
        raise AlgorithmError(
            f"partition {scorer.manifest.partition}: {int(labels.sum())} of the {len(labels)} tenants of the test part "
            "are bad: a model cannot be judged by one group alone",
            code="one_class",
        )
    test = table.take(chosen)
    matrix = scorer.encoding.matrix(test)
    probabilities = scorer.probabilities(matrix)
    threshold = scorer.manifest.threshold
    return PartitionEvaluation(
        manifest=scorer.manifest,
        grouping=grouping,
        tenants=len(groups.bad),
        bad=int(groups.bad.sum()),
        counts=_counts(groups),
        metrics=classification_metrics(labels, probabilities, threshold),
        confusion=confusion(labels, probabilities, threshold),
        calibration=calibration_table(labels, probabilities),
        profile=feature_profile(table, groups.bad, use_case),
        portfolios=portfolio_shares(table.portfolio_id, groups.bad),
        importance=_importance(scorer, matrix),
        roc=roc_curve(labels, probabilities),
        precision_recall=precision_recall_curve(labels, probabilities),
        smoke_test=_smoke_test(test, probabilities, scorer.manifest),
    )


def _counts(groups: GroupRows) -> dict[str, dict[str, int]]:
    parts = {part: groups.split == part for part in SHARES} | {"none": groups.split == ""}
    return {part: {"tenants": int(rows.sum()), "bad": int(groups.bad[rows].sum())} for part, rows in parts.items()}


def _importance(scorer: Scorer, matrix: Matrix) -> list[dict[str, Any]]:
    """Per feature the mean absolute contribution to the log-odds on the test part, the largest first."""
    strength = np.abs(scorer.contributions(matrix)).mean(axis=0).tolist()
    rows = [
        {"feature": name, "mean_contribution": value}
        for name, value in zip(scorer.manifest.features, strength, strict=True)
    ]
    return sorted(rows, key=lambda row: (-row["mean_contribution"], row["feature"]))


def _smoke_test(test: FeatureTable, probabilities: NDArray[np.float64], manifest: ModelManifest) -> dict[str, Any]:
    """Up to 8 tenants of the test part, spread over the whole range of probabilities, with what the model says."""
    order = np.argsort(probabilities, kind="stable")
    rows = order[np.unique(np.linspace(0, len(order) - 1, min(SMOKE_TEST_TENANTS, len(order))).round().astype(int))]
    samples = [
        {
            "instance": {
                "tenant_id": str(test.tenant_id[row]),
                "features": {name: _told(test, name, row) for name in manifest.features},
            },
            "probability": float(probabilities[row]),
        }
        for row in rows
    ]
    return {"samples": samples}


def _told(table: FeatureTable, name: str, row: int) -> float | str | None:
    """A feature as a client tells it: 32-bit numbers, which is all a model sees of them; categories by name."""
    value = table.column(name)[row]
    if np.isnan(value):
        return None
    return table.categories[name][int(value)] if name in table.categories else float(np.float32(value))

"""What is found out about one partition's model: all that evaluation.json, the report and the outcome tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tenant_experience.evaluation._group_changes import GroupChanges
from tenant_experience.evaluation._intervals import Measured
from tenant_experience.evaluation.gates import ModelGate
from tenant_experience.groups.grouping import Grouping
from tenant_experience.models.artifact import ModelManifest


@dataclass(frozen=True)
class PartitionEvaluation:
    """All that evaluation.json, the report and the outcome tell of a partition. "Bad" is the class that is predicted.

    Attributes:
        manifest: of the model.
        grouping: the rule its labels come from; None when they come from a column.
        tenants: how many have a label.
        bad: how many of these are bad; None when no class is more wanted than another.
        counts: per part of the split, and ``none`` for tenants that teach nothing: tenants, and how many are bad.
        measured: metrics and their intervals, on the test part.
        slices: the same for parts of the test part, see ``evaluation_slices``.
        missing_features: see ``missing_features``.
        champion: see ``champion.champion_comparison``; None when none is live.
        moved: who changed group since the live release; None where that cannot be told.
        uncertainty: how sure the published P(bad) is, on the test part, see ``answer_certainty``; None without groups.
        fairness: see ``fairness.bad_share_by_band``.
        gates: those on models, kept or broken.
        warnings: in sentences, those of the grouping first.
        confusion: on the test part: four counts of binary, ``labels`` and ``matrix`` of several classes, else empty.
        bands: of numbers: what was predicted against what was true, on the test part; else empty.
        calibration: on the test part, by tenths; empty for numbers.
        profile: per feature, all tenants with a label; empty where none are bad or good.
        portfolios: share of bad, all tenants with a label; empty where none are bad or good.
        importance: per feature, on the test part.
        roc: points of the curve, for the plot; of binary alone.
        precision_recall: points of the curve, for the plot; of binary alone.
        smoke_test: instances, and the answers about them (``smoke_samples``).
    """

    manifest: ModelManifest
    grouping: Grouping | None
    tenants: int
    bad: int | None
    counts: dict[str, dict[str, Any]]
    measured: Measured
    slices: dict[str, list[dict[str, Any]]]
    missing_features: list[dict[str, Any]]
    champion: dict[str, Any] | None
    moved: GroupChanges | None
    uncertainty: dict[str, Any] | None
    fairness: list[dict[str, Any]]
    gates: list[ModelGate]
    warnings: list[str]
    confusion: dict[str, Any]
    bands: list[dict[str, Any]]
    calibration: list[dict[str, Any]]
    profile: list[dict[str, Any]]
    portfolios: list[dict[str, Any]]
    importance: list[dict[str, Any]]
    roc: list[tuple[float, float]]
    precision_recall: list[tuple[float, float]]
    smoke_test: dict[str, Any]

    @property
    def bad_share(self) -> float | None:
        """Share of tenants that are bad."""
        return None if self.bad is None else self.bad / self.tenants

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics on the test part, by name; those that can be told."""
        return {name: value for name, value in self.measured.metrics.items() if value is not None}

    @property
    def intervals(self) -> dict[str, list[float]]:
        """95% intervals of the metrics: [low, high]."""
        return {name: bounds for name, bounds in self.measured.intervals.items() if bounds is not None}

    @property
    def changes(self) -> dict[str, Any] | None:
        """Counts of who changed group."""
        return self.moved.document() if self.moved else None

    def document(self) -> dict[str, Any]:
        """The partition's part of evaluation.json: all but ids, the curves and the smoke test."""
        told = ("tenants", "bad", "bad_share", "counts", "metrics", "intervals", "confusion", "bands", "calibration")
        more = ("slices", "missing_features", "champion", "changes", "uncertainty", "fairness", "warnings")
        return {
            "partition": self.manifest.partition,
            "slug": self.manifest.slug,
            "version": self.manifest.version,
            "scale": self.manifest.scale,
            "task": self.manifest.task,
            **{name: getattr(self, name) for name in (*told, *more, "profile", "portfolios", "importance")},
            "gates": [gate.document() for gate in self.gates],
            "model": self.manifest.model_dump(mode="json"),
            "grouping": self.grouping.model_dump(mode="json") if self.grouping else None,
        }

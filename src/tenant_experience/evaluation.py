"""One partition's model, judged on the test part alone, and what it says of all tenants, described."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenant_experience.bootstrap_intervals import Measured, measured
from tenant_experience.champion import Champion, champion_comparison
from tenant_experience.encoding import Matrix
from tenant_experience.errors import AlgorithmError
from tenant_experience.evaluation_slices import measured_slices, slice_names
from tenant_experience.fairness import HIGHEST_RATIO, bad_share_by_band
from tenant_experience.feature_table import FeatureTable
from tenant_experience.group_changes import GroupChanges, group_changes, rule_of
from tenant_experience.group_file import GroupRows
from tenant_experience.group_profile import feature_profile, portfolio_shares
from tenant_experience.grouping import Grouping
from tenant_experience.metrics import (
    answer_certainty,
    calibration_table,
    confusion,
    precision_recall_curve,
    prediction_bands,
    roc_curve,
)
from tenant_experience.missing_features import missing_feature_curve
from tenant_experience.model_artifact import ModelManifest
from tenant_experience.model_gates import ModelGate, model_gates
from tenant_experience.scored_rows import ScoredRows, confusion_matrix, scored
from tenant_experience.scoring import Scorer
from tenant_experience.served_model import ServedModel
from tenant_experience.smoke_samples import smoke_samples
from tenant_experience.splitting import SHARES, TEST
from tenant_experience.uncertainty import probability_bad
from tenant_experience.use_case import UseCase

SMALL_TEST_PART = 100


@dataclass(frozen=True)
class Live:
    """What answers now for a partition.

    Attributes:
        champion: its model.
        tenants: the partition's, as the live release saw them; None when that cannot be read.
    """

    champion: Champion
    tenants: FeatureTable | None


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


def evaluate_partition(
    table: FeatureTable, groups: GroupRows, folder: Path, use_case: UseCase, live: Live | None = None
) -> PartitionEvaluation:
    """Scores the test part with the model in ``folder``.

    Args:
        table: features of the release's tenants.
        groups: the partition's rows of groups.parquet.
        folder: holds model.ubj, model.json and, when labels come from clusters, grouping.json.
        use_case: directions, names and gates.
        live: what answers now for this partition; None before its first release.

    Raises:
        AlgorithmError: ``one_class`` when the test part holds tenants of one label only.
    """
    model = ServedModel.load(folder)
    scorer, grouping = model.scorer, model.grouping
    manifest = scorer.manifest
    table = groups.align(table)
    chosen = groups.split == TEST
    _check_labels(groups, chosen, manifest)
    test = table.take(chosen)
    matrix = scorer.encoding.matrix(test)
    score = partial(scored, scorer, labels=groups.label[chosen])
    rows = score(matrix)
    positive = len(manifest.labels) - 1 if manifest.positive_label else None
    bad = None if positive is None else groups.bad
    whole = measured(rows)
    missing = missing_feature_curve(scorer.encoding, matrix, score)
    champion = champion_comparison(live.champion, rows, manifest, test) if live else None
    fairness = [] if bad is None else bad_share_by_band(table, bad)
    binary = manifest.task == "binary"
    return PartitionEvaluation(
        manifest=manifest,
        grouping=grouping,
        tenants=len(groups.label),
        bad=None if bad is None else int(bad.sum()),
        counts=_counts(groups, bad),
        measured=whole,
        slices=measured_slices(rows, slice_names(test, use_case.contacts), positive),
        missing_features=missing,
        champion=champion,
        moved=_moved(live, champion, table, folder, manifest),
        uncertainty=answer_certainty(probability_bad(grouping, test)) if grouping else None,
        fairness=fairness,
        gates=model_gates(use_case.gates, whole.metrics, missing, champion),
        warnings=[*(grouping.warnings if grouping else ()), *_warnings(len(rows), fairness, live)],
        confusion=_confusion(rows, manifest),
        bands=prediction_bands(rows.labels, rows.outputs) if manifest.task == "regression" else [],
        calibration=[] if manifest.task == "regression" else calibration_table(rows.confirmed, rows.confidence),
        profile=[] if bad is None else feature_profile(table, groups.label, use_case),
        portfolios=[] if bad is None else portfolio_shares(table.portfolio_id, bad),
        importance=_importance(scorer, matrix),
        roc=roc_curve(rows.confirmed, rows.outputs) if binary else [],
        precision_recall=precision_recall_curve(rows.confirmed, rows.outputs) if binary else [],
        smoke_test={"samples": smoke_samples(model, test, rows.confidence)},
    )


def _check_labels(groups: GroupRows, chosen: NDArray[np.bool_], manifest: ModelManifest) -> None:
    labels = groups.label[chosen]
    if len(np.unique(labels)) < 2:
        raise AlgorithmError(
            f"partition {manifest.partition}: the {len(labels)} tenants of the test part have one label only: a model "
            "cannot be judged by it",
            code="one_class",
        )


def _counts(groups: GroupRows, bad: NDArray[np.bool_] | None) -> dict[str, dict[str, Any]]:
    parts = {part: groups.split == part for part in SHARES} | {"none": groups.split == ""}
    return {
        part: {"tenants": int(rows.sum()), "bad": None if bad is None else int(bad[rows].sum())}
        for part, rows in parts.items()
    }


def _confusion(rows: ScoredRows, manifest: ModelManifest) -> dict[str, Any]:
    if manifest.task == "binary":
        return confusion(rows.confirmed, rows.outputs, manifest.threshold)
    return confusion_matrix(rows, manifest.labels) if manifest.task == "multiclass" else {}


def _moved(
    live: Live | None, champion: dict[str, Any] | None, table: FeatureTable, folder: Path, manifest: ModelManifest
) -> GroupChanges | None:
    """Numbers have no groups; and groups of other names, or by other features, cannot be compared."""
    if live is None or live.tenants is None or champion is None or manifest.task == "regression":
        return None
    if champion["verdict"] == "not_comparable":
        return None
    return group_changes(live.tenants, table, rule_of(live.champion.folder), rule_of(folder), manifest.labels)


def _warnings(test_tenants: int, fairness: list[dict[str, Any]], live: Live | None) -> list[str]:
    found = []
    if live and live.tenants is None:
        found.append("Who changed group cannot be told: this use case cannot read the features of the live release.")
    if test_tenants < SMALL_TEST_PART:
        found.append(f"The test part holds {test_tenants} tenants only: look at the intervals, not at the figures.")
    for comparison in fairness:
        if comparison["warned"]:
            groups = sorted(comparison["groups"], key=lambda group: group["share"])
            low, high = groups[0], groups[-1]
            found.append(
                f"The share of bad goes with {_BY[comparison['by']]}: {high['share']:.1%} at {high['name']}, "
                f"{low['share']:.1%} at {low['name']}: more than {HIGHEST_RATIO:g} times as many."
            )
    return found


_BY = {"exposure": "how long tenants are known", "size": "how large their portfolio is"}


def _importance(scorer: Scorer, matrix: Matrix) -> list[dict[str, Any]]:
    """Per feature the mean absolute contribution to the log-odds, or to the number, on the test part; largest first."""
    strength = np.abs(scorer.contributions(matrix)).mean(axis=0).tolist()
    rows = [
        {"feature": name, "mean_contribution": value}
        for name, value in zip(scorer.manifest.features, strength, strict=True)
    ]
    return sorted(rows, key=lambda row: (-row["mean_contribution"], row["feature"]))

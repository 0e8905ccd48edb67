"""Evaluates one partition's model on the test part alone, and describes its answers for all tenants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenant_experience.errors import AlgorithmError
from tenant_experience.evaluation._censoring import censoring_sentences, time_bands, time_calibration
from tenant_experience.evaluation._chance import chance_warnings
from tenant_experience.evaluation._fairness import bad_share_by_band, fairness_warnings
from tenant_experience.evaluation._group_changes import GroupChanges, group_changes, rule_of
from tenant_experience.evaluation._intervals import measured
from tenant_experience.evaluation._sample import sampled_rows
from tenant_experience.evaluation._split import describe_split
from tenant_experience.evaluation.champion import NOT_COMPARABLE, Champion, ChampionComparison, champion_comparison
from tenant_experience.evaluation.evaluation import FeatureImportance, PartCounts, PartitionEvaluation, PublishedAnswers
from tenant_experience.evaluation.gates import model_gates
from tenant_experience.evaluation.metrics import (
    BinaryConfusion,
    answer_certainty,
    calibration_table,
    confusion,
    precision_recall_curve,
    roc_curve,
)
from tenant_experience.evaluation.missing_features import missing_feature_curve
from tenant_experience.evaluation.outcome_validation import OutsideTruth, supervised_scores, validate
from tenant_experience.evaluation.pooling import compare_pooling
from tenant_experience.evaluation.scored_rows import ConfusionMatrix, ScoredRows, confusion_matrix, published
from tenant_experience.evaluation.slices import measured_slices, slice_names
from tenant_experience.evaluation.smoke_samples import smoke_samples
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.file import GroupRows
from tenant_experience.groups.profile import feature_profile, portfolio_shares
from tenant_experience.groups.split import fitted_tenants
from tenant_experience.groups.yardstick import Yardstick
from tenant_experience.models.artifact import ModelManifest
from tenant_experience.models.encoding import Matrix
from tenant_experience.models.scoring import Scorer
from tenant_experience.models.served_model import Published, ServedModel
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.intervals import mean_interval
from tenant_experience.statistics.splitting import SHARES, TEST
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.words import Words

SMALL_TEST_PART = 100
# What figures count where a record has several rows.
_ROWS = {"record": "row", "records": "rows"}


@dataclass(frozen=True)
class LiveModel:
    """The model that answers now for a partition.

    Attributes:
        champion: the model.
        tenants: the partition's tenants with the features of the live release; None when these cannot be read.
    """

    champion: Champion
    tenants: FeatureTable | None


def evaluate_partition(
    table: FeatureTable,
    groups: GroupRows,
    folder: Path,
    use_case: UseCase,
    live: LiveModel | None = None,
    truth: OutsideTruth | None = None,
    *,
    answers: FeatureTable | None = None,
) -> PartitionEvaluation:
    """Evaluates the model in ``folder``.

    Args:
        table: the rows of the release to learn from.
        groups: the partition's rows of groups.parquet.
        folder: holds the model's file, model.json and, when labels come from clusters, grouping.json.
        use_case: directions, names and gates.
        live: the model that answers now for this partition; None before its first release.
        truth: what became of tenants; None when the batch does not say it.
        answers: the row of each tenant that answers, where ``table`` may have several.

    Raises:
        AlgorithmError: ``one_class`` when all tenants of the test part have the same label.
    """
    model = ServedModel.load(folder)
    scorer, grouping = model.scorer, model.grouping
    manifest = scorer.manifest
    table = groups.align(table)
    chosen = groups.split == TEST
    words = use_case.words if groups.records == len(groups.label) else replace(use_case.words, **_ROWS)
    _check_labels(groups, chosen, manifest, words)
    answered = _answers(model, table.take(chosen), groups.label[chosen], words)
    rows, test, matrix = answered.rows, answered.test, answered.matrix
    positive = len(manifest.labels) - 1 if manifest.positive_label else None
    bad = None if positive is None else groups.bad
    whole = measured(rows)
    sample = sampled_rows(rows, matrix)
    missing = missing_feature_curve(scorer.encoding, matrix[sample], answered.take(sample).with_gaps)
    fitted = fitted_tenants(live.tenants, use_case) if live and live.tenants is not None else None
    champion = champion_comparison(live.champion, model, rows, test, fitted, words=words) if live else None
    fairness = [] if bad is None else bad_share_by_band(table, bad, words)
    pooling = compare_pooling(model, rows, test, matrix, folder) if manifest.levels else None
    binary = manifest.task == "binary"
    return PartitionEvaluation(
        manifest=manifest,
        grouping=grouping,
        tenants=len(groups.label),
        bad=None if bad is None else int(bad.sum()),
        counts=_counts(groups, bad),
        measured=whole,
        slices=measured_slices(rows, slice_names(test, use_case.contacts), positive),
        sampled_tenants=len(sample),
        missing_features=missing,
        champion=champion,
        moved=_moved(live, champion, table, folder, manifest),
        published=answered.description,
        uncertainty=answer_certainty(rows.outputs if binary else rows.outputs[:, -1]) if grouping else None,
        fairness=fairness,
        words=use_case.words,
        gates=model_gates(
            use_case.gates, whole.metrics, missing, champion, model.next_period.backtest, words=use_case.words
        ),
        backtest=model.next_period.backtest,
        warned={
            "chance": chance_warnings(rows, whole, manifest.labels),
            "groups": list(grouping.warnings) if grouping else [],
            "time": list(censoring_sentences(scorer, rows)),
            "champion": _champion_warnings(live, champion, words),
            "unplaced": _unanswered(int(chosen.sum()), len(rows), words),
            "rows": [*_small_test_part(len(rows), words), *_dependent_rows(test, use_case.words)],
            "fairness": list(fairness_warnings(fairness, manifest.positive_label, words)),
            "pooling": list(pooling.warnings) if pooling else [],
        },
        confusion=_confusion(rows, manifest),
        bands=time_bands(scorer, rows, matrix) if manifest.task == "regression" else [],
        calibration=time_calibration(scorer, rows, matrix)
        if manifest.task == "regression"
        else calibration_table(rows.confirmed, rows.confidence),
        profile=[] if bad is None else feature_profile(table, groups.label, use_case),
        portfolios=[] if bad is None else portfolio_shares(table.portfolio_id, bad),
        importance=_importance(scorer, matrix[sample]),
        roc=roc_curve(rows.confirmed, rows.outputs) if binary else [],
        precision_recall=precision_recall_curve(rows.confirmed, rows.outputs) if binary else [],
        folder=folder,
        smoke_test=smoke_samples(model, test, rows.outputs.max(axis=1) if rows.outputs.ndim == 2 else rows.outputs),
        yardstick=Yardstick.read(folder),
        validation=validate(
            model, table if answers is None or table.examples is None else answers, groups, use_case, truth
        ),
        supervised=supervised_scores(model, table, groups, use_case, truth),
        pooling=pooling,
        split=describe_split(table, groups, use_case),
    )


@dataclass(frozen=True)
class _Answers:
    """What the model publishes about the test part.

    Attributes:
        model: that answers.
        test: the tenants that are answered.
        matrix: (tenants, columns) as the model reads them.
        rows: what is published about them, beside their labels.
        published: the same as the model gives it.
    """

    model: ServedModel
    test: FeatureTable
    matrix: Matrix
    rows: ScoredRows
    published: Published

    @property
    def description(self) -> PublishedAnswers:
        """What the figures are of."""
        if self.model.grouping is None:
            return PublishedAnswers(0, len(self.rows), None)
        by_rule = int(self.published.by_rule.sum())
        return PublishedAnswers(by_rule, len(self.rows) - by_rule, self.model.next_period.basis)

    def take(self, rows: NDArray[Any]) -> _Answers:
        """Those of some tenants."""
        chosen = self.rows.take(rows), self.published.take(rows)
        return _Answers(self.model, self.test.take(rows), self.matrix[rows], *chosen)

    def with_gaps(self, matrix: Matrix) -> ScoredRows:
        """What is published about the same tenants when some values of ``matrix`` are missing."""
        days = self.test.side.get("exposure_days")
        return published(self.model, matrix, self.rows.labels, days, self.published).rows


def _answers(model: ServedModel, test: FeatureTable, labels: Floats, words: Words) -> _Answers:
    """The test part without tenants of whom nothing that decides is known: the API answers ``no_features`` for them."""
    matrix = model.scorer.encoding.matrix(test)
    found = published(model, matrix, labels, test.side.get("exposure_days"))
    if not found.known.any():
        raise AlgorithmError(
            f"partition {model.scorer.manifest.partition}: of no {words.record} of the test part a feature that "
            "decides is known, so the model answers for none of them and cannot be evaluated. Check the features in "
            "the data-quality report",
            code="no_features",
        )
    return _Answers(model, test.take(found.known), matrix[found.known], found.rows, found.published)


def _check_labels(groups: GroupRows, chosen: NDArray[np.bool_], manifest: ModelManifest, words: Words) -> None:
    labels = groups.label[chosen]
    if len(np.unique(labels)) < 2:
        raise AlgorithmError(
            f"partition {manifest.partition}: the {len(labels)} {words.records} of the test part all have the same "
            f"label, so the model cannot be evaluated. Bring more {words.records}, or check the labels",
            code="one_class",
        )


def _counts(groups: GroupRows, bad: NDArray[np.bool_] | None) -> dict[str, PartCounts]:
    parts = {part: groups.split == part for part in SHARES} | {"none": groups.split == ""}
    return {
        part: PartCounts(int(rows.sum()), None if bad is None else int(bad[rows].sum())) for part, rows in parts.items()
    }


def _confusion(rows: ScoredRows, manifest: ModelManifest) -> BinaryConfusion | ConfusionMatrix | None:
    if manifest.task == "binary":
        return confusion(rows.labels == 1, rows.answers == 1)
    return confusion_matrix(rows, manifest.labels) if manifest.task == "multiclass" else None


def _moved(
    live: LiveModel | None,
    champion: ChampionComparison | None,
    table: FeatureTable,
    folder: Path,
    manifest: ModelManifest,
) -> GroupChanges | None:
    """None where there are no groups, or where groups have other names or are made from other features."""
    if live is None or live.tenants is None or champion is None:
        return None
    if manifest.task == "regression" or champion.verdict == NOT_COMPARABLE:
        return None
    return group_changes(live.tenants, table, rule_of(live.champion.folder), rule_of(folder), manifest.labels)


def _champion_warnings(live: LiveModel | None, champion: ChampionComparison | None, words: Words) -> list[str]:
    found = []
    if champion and champion.verdict == "worse":
        compared = champion.decisive
        found.append(
            f"On the same {champion.rows} {words.records}{champion.condition} the new model is worse than the live "
            f"one: {champion.loss.replace('_', ' ')} {compared.challenger:.4f} against {compared.champion:.4f} "
            f"(difference {compared.low:+.4f} to {compared.high:+.4f})."
        )
    if live and live.tenants is None:
        found.append(
            f"It is unknown which {words.records} change group: this use case cannot read the features of the live "
            "release."
        )
    return found


def _small_test_part(tenants: int, words: Words) -> list[str]:
    if tenants >= SMALL_TEST_PART:
        return []
    return [f"The test part has only {tenants} {words.records}: look at the intervals, not at the figures."]


def _unanswered(tenants: int, answered: int, words: Words) -> list[str]:
    if tenants == answered:
        return []
    return [
        f"{tenants - answered} {words.records} of the test part ({1 - answered / tenants:.1%}) are left out of all "
        "figures, because nothing that decides is known of them. The API gives them no label and no probability."
    ]


def _dependent_rows(test: FeatureTable, words: Words) -> list[str]:
    if test.records == len(test):
        return []
    return [
        f"The {len(test)} rows of the test part are about {test.records} {words.records}. The intervals take each row "
        "for one of its own, so they are narrower than they should be, the more so the more alike the rows of one "
        f"{words.record} are."
    ]


def _importance(scorer: Scorer, matrix: Matrix) -> list[FeatureImportance]:
    """How much each feature contributes to the log-odds, or to the number, on some rows; the largest first."""
    strength = np.abs(scorer.contributions(matrix))
    rows = [
        FeatureImportance(name, float(column.mean()), *mean_interval(column))
        for name, column in zip(scorer.manifest.features, strength.T.astype(np.float64), strict=True)
    ]
    return sorted(rows, key=lambda row: (-row.mean_contribution, row.feature))

"""The published answers beside what became of tenants: an outside truth, on which nothing was trained.

An outcome that follows the period of an answer is the better test. Answers of earlier periods are made for it: from the
features as they were known then, by the model of this release. Where no outcome follows, those of the same period are
compared, and are called concurrent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from tenant_experience.evaluation._estimates import roc_auc
from tenant_experience.evaluation.supervised_score import SupervisedScore, compare_score, is_enough
from tenant_experience.features.table import INSUFFICIENT, FeatureTable
from tenant_experience.features.tenant_outcomes import TenantOutcomes
from tenant_experience.groups.file import GroupRows
from tenant_experience.models.served_model import ServedModel
from tenant_experience.models.validation import LEAST_OF_EACH, LEAST_OUTCOMES, OutcomeValidation, Period, Validation
from tenant_experience.statistics.splitting import TEST
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.tenant_outcomes import OutcomeKind

# Of each ending: answering takes time, and of more tenants the interval is narrow enough.
MOST_OF_EACH = 5_000
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class OutsideTruth:
    """What a release can be validated with.

    Attributes:
        outcomes: of its batch.
        periods: the tenants as they were known at earlier moments, each with the features of that moment.
    """

    outcomes: TenantOutcomes
    periods: Sequence[FeatureTable] = ()


@dataclass(frozen=True)
class _Comparison:
    """Tenants that are answered in one period, and what became of them.

    Attributes:
        table: the tenants.
        bad: (tenants,) whether the ending was bad.
        had_one: (tenants,) whether there was an outcome of this kind.
        trained: (tenants,) whether they trained the model.
        period: see ``OutcomeValidation``.
        until: outcomes before this moment count.
    """

    table: FeatureTable
    bad: Flags
    had_one: Flags
    trained: Flags
    period: Period
    until: np.datetime64

    def take(self, rows: NDArray[np.intp] | Flags) -> _Comparison:
        chosen = (self.bad[rows], self.had_one[rows], self.trained[rows])
        return _Comparison(self.table.take(rows), *chosen, self.period, self.until)

    @property
    def is_enough(self) -> bool:
        bad = int(self.bad.sum())
        return int(self.had_one.sum()) >= LEAST_OUTCOMES and min(bad, len(self.bad) - bad) >= LEAST_OF_EACH

    def sampled(self) -> _Comparison:
        """At most so many of each ending, in the order of the table, which neither ids nor files decide."""
        if len(self.bad) <= MOST_OF_EACH:
            return self
        chosen = [np.flatnonzero(kind)[:MOST_OF_EACH] for kind in (self.bad, ~self.bad)]
        return self.take(np.sort(np.concatenate(chosen)))


def validate(
    model: ServedModel, table: FeatureTable, groups: GroupRows, use_case: UseCase, truth: OutsideTruth | None
) -> Validation:
    """The published answers of one partition beside the outcomes of every kind that the use case declares.

    Args:
        model: that is published.
        table: features of the release's tenants.
        groups: the partition's rows of groups.parquet, which say who trained the model.
        use_case: declares the kinds.
        truth: None when the batch has no outcomes.
    """
    found = []
    for name, words, comparisons in _compared_kinds(model, table, groups, use_case, truth):
        chosen = next((each for each in _preferred(comparisons) if each.is_enough), None)
        if chosen is not None:
            found.append(_measured(model, name, words, chosen.sampled()))
        elif fullest := max(comparisons, key=lambda each: int(each.had_one.sum()), default=None):
            found.append(_described(name, words, fullest))
    said = {"records": use_case.words.records}
    return Validation(outcomes=[each.model_copy(update=said) for each in found if each.outcomes])


def supervised_scores(
    model: ServedModel, table: FeatureTable, groups: GroupRows, use_case: UseCase, truth: OutsideTruth | None
) -> list[SupervisedScore]:
    """A score trained on each kind of outcome of which there are enough, beside the published answers.

    The arguments are those of ``validate``. Whoever trained the model counts too: it was not trained on outcomes.
    """
    if model.grouping is None:
        return []
    found = []
    for name, words, comparisons in _compared_kinds(model, table, groups, use_case, truth):
        for each in comparisons:
            compared = each.sampled()
            matrix = model.scorer.encoding.matrix(compared.table)
            published = model.publish(matrix, compared.table.side.get("exposure_days"))
            answered = compared.take(published.known)
            if is_enough(answered.had_one, answered.bad):
                outputs = published.take(published.known).outputs
                probability = outputs if outputs.ndim == 1 else outputs[:, -1]
                score = compare_score(name, words, answered.period, answered.table, answered.bad, probability, use_case)
                asked = _answered_by(model, table)
                found.append(score.for_tenants(answered.table, answered.bad, asked, use_case))
                break
    return found


def _compared_kinds(
    model: ServedModel, table: FeatureTable, groups: GroupRows, use_case: UseCase, truth: OutsideTruth | None
) -> Iterator[tuple[str, str, list[_Comparison]]]:
    """Each kind of outcome, its words, and its comparisons, the one to prefer first."""
    declared, manifest = use_case.outcomes, model.scorer.manifest
    if truth is None or declared is None or manifest.positive_label is None:
        return
    periods = sorted([table, *truth.periods], key=lambda each: each.as_of, reverse=True)
    own = [_answered_by(model, each) for each in periods]
    fitted = groups.tenant_id[(groups.split != TEST) & (groups.split != "")]
    window = np.timedelta64(use_case.history.window_days, "D")
    for name, kind in declared.kinds.items():
        comparisons = _comparisons(name, kind, own, table.as_of, truth.outcomes, fitted, window)
        yield name, declared.words(name), list(comparisons)


def _answered_by(model: ServedModel, table: FeatureTable) -> FeatureTable:
    """The tenants that the model answers for."""
    return table.take((table.partition_slug == model.scorer.manifest.slug) & (table.history != INSUFFICIENT))


def _comparisons(
    name: str,
    kind: OutcomeKind,
    tables: Sequence[FeatureTable],
    as_of: str,
    outcomes: TenantOutcomes,
    fitted: NDArray[np.str_],
    window: np.timedelta64,
) -> Iterator[_Comparison]:
    """The newest answers that outcomes follow first, and the concurrent outcomes last."""
    for table in tables:
        moment = _moment(table.as_of)
        yield _comparison(name, kind, table, outcomes, fitted, "following", (moment, moment + window))
    newest = next(table for table in tables if table.as_of == as_of)
    moment = _moment(as_of)
    yield _comparison(name, kind, newest, outcomes, fitted, "concurrent", (moment - window, moment))


def _comparison(
    name: str,
    kind: OutcomeKind,
    table: FeatureTable,
    outcomes: TenantOutcomes,
    fitted: NDArray[np.str_],
    period: Period,
    between: tuple[np.datetime64, np.datetime64],
) -> _Comparison:
    begin, end = between
    if kind.is_score:
        had_one, mean = _mean_scores(table, outcomes.of(name, begin, end))
        compared, bad = had_one, _is_bad(kind, mean)
    else:
        happened = np.isin(table.tenant_id, outcomes.of(name, begin, end).tenant_id)
        had_one, compared = happened, np.ones(len(table), dtype=np.bool_)
        if kind.against is not None:
            other = np.isin(table.tenant_id, outcomes.of(kind.against, begin, end).tenant_id)
            # Of a tenant to whom both happened, it is not known which ending counts.
            compared = had_one = happened ^ other
        bad = happened if kind.bad else ~happened
    trained = np.isin(table.tenant_id, fitted)
    return _Comparison(table, bad, had_one, trained, period, end).take(compared)


def _preferred(comparisons: Sequence[_Comparison]) -> Iterator[_Comparison]:
    """Each comparison without those who trained the model, and then with them."""
    for each in comparisons:
        yield each.take(~each.trained)
        yield each


def _measured(model: ServedModel, name: str, words: str, compared: _Comparison) -> OutcomeValidation:
    matrix = model.scorer.encoding.matrix(compared.table)
    published = model.publish(matrix, compared.table.side.get("exposure_days"))
    answered = compared.take(published.known)
    if not answered.is_enough:
        return _described(name, words, answered)
    outputs = published.take(published.known).outputs
    area = roc_auc(answered.bad, outputs if outputs.ndim == 1 else outputs[:, -1])
    low, high = area.bounds or (0.0, 1.0)
    return _described(name, words, answered).model_copy(update={"auc": area.value, "low": low, "high": high})


def _described(name: str, words: str, compared: _Comparison) -> OutcomeValidation:
    return OutcomeValidation(
        kind=name,
        words=words,
        outcomes=int(compared.had_one.sum()),
        tenants=len(compared.bad),
        bad=int(compared.bad.sum()),
        trained=int(compared.trained.sum()),
        answers_as_of=compared.table.as_of,
        until=f"{np.datetime_as_string(compared.until, unit='s')}Z",
        period=compared.period,
    )


def _mean_scores(table: FeatureTable, scores: TenantOutcomes) -> tuple[Flags, NDArray[np.float64]]:
    """Whether each tenant has a score, and the mean of its scores: a tenant counts once, however often it answered."""
    ids, places = np.unique(scores.tenant_id, return_inverse=True)
    means = np.bincount(places, scores.value) / np.maximum(np.bincount(places), 1)
    found = np.searchsorted(ids, table.tenant_id)
    found = np.minimum(found, max(len(ids) - 1, 0))
    has = ids[found] == table.tenant_id if len(ids) else np.zeros(len(table), dtype=np.bool_)
    return has, np.where(has, means[found], np.nan) if len(ids) else np.full(len(table), np.nan)


def _is_bad(kind: OutcomeKind, mean: NDArray[np.float64]) -> Flags:
    if kind.bad_up_to is not None:
        return np.asarray(mean <= kind.bad_up_to)
    return np.asarray(mean >= (np.inf if kind.bad_from is None else kind.bad_from))


def _moment(as_of: str) -> np.datetime64:
    return np.datetime64(datetime.fromisoformat(as_of).astimezone(UTC).replace(tzinfo=None), "us")

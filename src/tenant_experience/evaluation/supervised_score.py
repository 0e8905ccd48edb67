"""A score that is trained on outcomes, beside the published answers: would it tell better whom it ends badly for?

It is a logistic regression of all features with a strong penalty, because there are hundreds of outcomes and not
thousands. Every tenant is scored by a regression that did not see this tenant, so that the comparison is fair to the
published answers, which were not trained on outcomes. It is offered to the approver, and nothing serves it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenant_experience.evaluation._estimates import roc_auc
from tenant_experience.evaluation._regression import Regression
from tenant_experience.evaluation.champion import difference_bounds
from tenant_experience.features.table import FeatureTable
from tenant_experience.models.validation import Period
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.threads import one_thread
from tenant_experience.statistics.transforms import transformed
from tenant_experience.use_case.schema import UseCase

# With fewer outcomes, or fewer tenants of one ending, a regression learns chance.
LEAST_OUTCOMES, LEAST_OF_EACH = 100, 20
FOLDS = 10

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class SupervisedScore:
    """The score beside the published answers, on the tenants that had an outcome of one kind.

    Attributes:
        kind: of the outcomes.
        words: what texts call several of them.
        records: what texts call several tenants.
        tenants: how many were compared.
        bad: how many of these had a bad ending.
        period: whether the outcomes followed the answers.
        published: area under the ROC curve of the published probability.
        auc: the same of the score.
        low: lower end of the 95% interval of the difference.
        high: upper end.
        tenant_id: the tenants of the release; empty unless the score is better.
        probability_bad: what the score says of each.
    """

    kind: str
    words: str
    records: str
    tenants: int
    bad: int
    period: Period
    published: float
    auc: float
    low: float
    high: float
    tenant_id: NDArray[np.str_] = field(default_factory=lambda: np.empty(0, dtype="<U1"))
    probability_bad: Floats = field(default_factory=lambda: np.empty(0))

    @property
    def is_better(self) -> bool:
        """Whether it tells bad endings from good ones better than the published answers, with 95% confidence."""
        return self.low > 0

    @property
    def text(self) -> str:
        """For people who decide."""
        areas = f"AUC {self.auc:.2f} against {self.published:.2f}, difference {self.low:+.2f} to {self.high:+.2f}"
        asked = f"{self.tenants:,} {self.records} ({areas})"
        if self.is_better:
            return (
                f"A score trained on {self.words} tells better than the published answers whom it ends badly for, on "
                f"{asked}. outcome_scores.csv has it for all {self.records}; nothing serves it"
            )
        return (
            f"A score trained on {self.words} is not better than the published answers with 95% confidence, on {asked}"
        )

    def for_tenants(self, table: FeatureTable, bad: Flags, asked: FeatureTable, use_case: UseCase) -> SupervisedScore:
        """The same with the probability of a bad ending of ``asked``, by a regression of all of ``table``."""
        if not self.is_better:
            return self
        with one_thread():
            chances = Regression.of(_matrix(table, use_case), bad).probability(_matrix(asked, use_case))
        return replace(self, tenant_id=asked.tenant_id, probability_bad=chances)

    def document(self) -> dict[str, Any]:
        """As evaluation.json has it: everything but the tenants."""
        figures = {name: value for name, value in vars(self).items() if name not in ("tenant_id", "probability_bad")}
        return figures | {"is_better": self.is_better, "text": self.text}


def is_enough(had_one: Flags, bad: Flags) -> bool:
    """Whether a score can be trained: (tenants,) who had an outcome, and for whom it ended badly."""
    return int(had_one.sum()) >= LEAST_OUTCOMES and min(int(bad.sum()), int((~bad).sum())) >= LEAST_OF_EACH


def compare_score(
    name: str, words: str, period: Period, table: FeatureTable, bad: Flags, published: Floats, use_case: UseCase
) -> SupervisedScore:
    """A score beside the published answers.

    Args:
        name: of the kind of outcome.
        words: what texts call several of them.
        period: whether the outcomes followed the answers.
        table: the tenants that are compared.
        bad: (tenants,) whether it ended badly.
        published: (tenants,) the published probability of the worst group.
        use_case: names the features.
    """
    answers, score = roc_auc(bad, published), roc_auc(bad, cross_fitted(table, bad, use_case))
    low, high = difference_bounds("roc_auc", answers, score)
    records = use_case.words.records
    return SupervisedScore(
        name, words, records, len(bad), int(bad.sum()), period, answers.value, score.value, low, high
    )


def cross_fitted(table: FeatureTable, bad: Flags, use_case: UseCase) -> Floats:
    """Log-odds of a bad ending, (tenants,), each by a regression that was fitted to other tenants.

    Tenants are in an order that says nothing of them, so every tenth of each ending is left out in turn.

    Args:
        table: the tenants, in the order of ``read_features``.
        bad: (tenants,) whether it ended badly; at least ``FOLDS`` of each ending.
        use_case: names the features; categories are left out.
    """
    rows, fold = _matrix(table, use_case), np.empty(len(bad), dtype=np.int64)
    for ending in (bad, ~bad):
        fold[ending] = np.arange(int(ending.sum())) % FOLDS
    scores = np.empty(len(bad))
    with one_thread():
        for number in range(FOLDS):
            left_out = fold == number
            scores[left_out] = Regression.of(rows[~left_out], bad[~left_out]).log_odds(rows[left_out])
    return scores


def _matrix(table: FeatureTable, use_case: UseCase) -> Floats:
    return np.column_stack(
        [transformed(column, use_case.features[name].transform) for name, column in table.numbers.items()]
    )

"""Who an event may happen to soon: a list that is shipped only where it is surely better than a plain count.

Whoever has many tickets will also have more escalations, and a count of tickets needs no model. So a regression must
rank tenants better than the count at each of three moments of the past, every time by what it could know then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenant_experience.evaluation._estimates import roc_auc
from tenant_experience.evaluation._regression import Regression
from tenant_experience.evaluation.champion import difference_bounds
from tenant_experience.features.risk_examples import RiskExamples, risk_columns
from tenant_experience.features.table import INSUFFICIENT, FeatureTable
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.threads import one_thread
from tenant_experience.use_case.risk import CUT_OFFS, Risk
from tenant_experience.use_case.schema import UseCase

# To learn from a moment or to compare at it: so many tenants to whom the event happened, and so many others.
LEAST_OF_EACH = 30


@dataclass(frozen=True)
class Origin:
    """The regression of the moment before and the plain count on the tenants of one moment.

    Attributes:
        moment: the day, ISO 8601.
        tenants: how many were compared.
        happened: to how many of these the event happened.
        count: area under the ROC curve of the plain count.
        auc: the same of the regression.
        low: lower end of the paired 95% interval of the difference.
        high: upper end.
    """

    moment: str
    tenants: int
    happened: int
    count: float
    auc: float
    low: float
    high: float


@dataclass(frozen=True)
class EventRisk:
    """The list of one event, or why there is none.

    Attributes:
        event: its name.
        words: what texts call it.
        within: how many days the list looks ahead.
        records: what texts call several tenants.
        origins: the comparisons, the oldest first; empty when nothing could be compared.
        obstacle: why nothing could be compared, in words; None when it could.
        tenant_id: the tenants of the list, by portfolio and rank; empty unless it is shipped.
        portfolio_id: of each.
        rank: of each within its portfolio; 1 is the likeliest.
        probability: that the event happens to it within the days.
    """

    event: str
    words: str
    within: int
    records: str
    origins: Sequence[Origin] = ()
    obstacle: str | None = None
    tenant_id: NDArray[np.str_] = field(default_factory=lambda: np.empty(0, dtype="<U1"))
    portfolio_id: NDArray[np.str_] = field(default_factory=lambda: np.empty(0, dtype="<U1"))
    rank: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    probability: Floats = field(default_factory=lambda: np.empty(0))

    @property
    def is_shipped(self) -> bool:
        """Whether the regression ranks better than the count with 95% confidence at every moment."""
        return len(self.origins) == CUT_OFFS - 1 and all(origin.low > 0 for origin in self.origins)

    @property
    def text(self) -> str:
        """For people who decide."""
        what = f"{self.records} by their risk of {self.words} within {self.within} days"
        if self.obstacle:
            return f"There is no list of {what}: {self.obstacle}"
        areas = "; ".join(
            f"{each.moment}: AUC {each.auc:.2f} against {each.count:.2f}, difference {each.low:+.3f} to "
            f"{each.high:+.3f}, {each.happened:,} of {each.tenants:,} {self.records}"
            for each in self.origins
        )
        if self.is_shipped:
            return (
                f"There is a list of {what}, because a regression ranks them better than the plain count of contacts "
                f"with 95% confidence at each of three moments ({areas})"
            )
        return (
            f"There is no list of {what}, because a regression does not rank them better than the plain count of "
            f"contacts with 95% confidence at each of three moments ({areas})"
        )

    def document(self) -> dict[str, Any]:
        """As evaluation.json has it: everything but the tenants."""
        return {
            "event": self.event,
            "within": self.within,
            "origins": [asdict(origin) for origin in self.origins],
            "is_shipped": self.is_shipped,
            "text": self.text,
        }


def assess_risk(
    risk: Risk, use_case: UseCase, examples: Sequence[RiskExamples], asked: FeatureTable, obstacle: str | None = None
) -> EventRisk:
    """Compares a regression with the plain count, and lists the tenants when it is better.

    Args:
        risk: of the use case.
        use_case: names the features.
        examples: of four moments, the oldest first; none where there is an obstacle.
        asked: the tenants to list, as they are now.
        obstacle: why there are no examples.
    """
    found = EventRisk(risk.event, risk.words, risk.within, use_case.words.records)
    obstacle = _obstacle(found, risk, examples, obstacle)
    if obstacle:
        return replace(found, obstacle=obstacle)
    with one_thread():
        origins = [_origin(risk, before, origin) for before, origin in pairwise(examples)]
        found = replace(found, origins=origins)
        if not found.is_shipped:
            return found
        listed = asked.take(asked.history != INSUFFICIENT)
        chances = _Regression(risk, examples[-1]).probability(listed.matrix(risk_columns(risk, use_case)))
    order = np.lexsort((listed.tenant_id, -chances, listed.portfolio_id))
    portfolios = listed.portfolio_id[order]
    _, first, sizes = np.unique(portfolios, return_index=True, return_counts=True)
    return replace(
        found,
        tenant_id=listed.tenant_id[order],
        portfolio_id=portfolios,
        rank=np.arange(1, len(order) + 1) - np.repeat(first, sizes),
        probability=chances[order],
    )


def _obstacle(found: EventRisk, risk: Risk, examples: Sequence[RiskExamples], given: str | None) -> str | None:
    if len(examples) != CUT_OFFS:
        return given or "the features of this release have no moments of the past to compare at"
    for each in examples:
        happened, others = int(each.happened.sum()), int((~each.happened).sum())
        if min(happened, others) < LEAST_OF_EACH:
            return (
                f"in the {found.within} days after {each.moment}, {found.words} happened to {happened:,} of "
                f"{happened + others:,} {found.records}, and a fair comparison needs {LEAST_OF_EACH} to whom it "
                f"happened and {LEAST_OF_EACH} to whom it did not"
            )
        if np.isnan(each.values[:, : len(risk.count)]).all():
            return (
                f"the plain count ({', '.join(risk.count)}) is not known of anybody as of {each.moment}, so there is "
                "nothing to beat"
            )
    return None


def _origin(risk: Risk, before: RiskExamples, origin: RiskExamples) -> Origin:
    count = roc_auc(origin.happened, _count(risk, origin.values))
    score = roc_auc(origin.happened, _Regression(risk, before).probability(origin.values))
    low, high = difference_bounds("roc_auc", count, score)
    happened = int(origin.happened.sum())
    return Origin(origin.moment, len(origin.happened), happened, count.value, score.value, low, high)


class _Regression:
    """A regression of the logarithms of the plain count and of each feature."""

    def __init__(self, risk: Risk, examples: RiskExamples) -> None:
        self._risk = risk
        self._fitted = Regression.of(self._matrix(examples.values), examples.happened)

    def probability(self, values: Floats) -> Floats:
        """That the event happens, (tenants,), from features in the order of ``risk_columns``."""
        return self._fitted.probability(self._matrix(values))

    def _matrix(self, values: Floats) -> Floats:
        columns = np.column_stack([_count(self._risk, values), values])
        logarithms: Floats = np.sign(columns) * np.log1p(np.abs(columns))
        return logarithms


def _count(risk: Risk, values: Floats) -> Floats:
    """The plain count; what is unknown was not counted."""
    total: Floats = np.nansum(values[:, : len(risk.count)], axis=1)
    return total

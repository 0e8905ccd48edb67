"""How far back a release of a use case looks: which events of earlier batches it reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tenant_experience.features.past import MOST_PERIODS
from tenant_experience.use_case.schema import UseCase


def kept_days(use_case: UseCase, as_of: datetime) -> int:
    """How many days before the moment of a release the oldest event is that may count.

    Args:
        use_case: adjusted to the source.
        as_of: the moment.
    """
    window = use_case.history.window_days
    moments = [as_of, *use_case.labels.moments(as_of)]
    if use_case.clustering is not None:
        moments.append(as_of - timedelta(days=MOST_PERIODS * window))
    longest = window
    if use_case.risk is not None:
        moments += use_case.risk.moments(as_of)
        longest = max(window, use_case.risk.within)
    looked_back = (as_of - min(moments)).days + longest
    return max(looked_back, use_case.declared_events.kept_days or 0)


def first_month(use_case: UseCase, as_of: datetime) -> datetime:
    """The beginning of the first month whose events count, UTC."""
    first = (as_of - timedelta(days=kept_days(use_case, as_of))).astimezone(UTC)
    return first.replace(day=1, hour=0, minute=0, second=0, microsecond=0)

"""CloudWatch's metrics are told apart by their dimensions, and no dimensions are dimensions too.

MiniStack gives the sum of a metric over all its dimensions where a request names none. On AWS that is another metric,
which only AWS/Lambda writes of its own accord: the totals of all functions of the account. Source:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-view.html
"""

from __future__ import annotations

from typing import Any

from ministack.services import cloudwatch

_record_metric = cloudwatch.record_metric
_dims_from_list = cloudwatch._dims_from_list
_WITH_TOTALS = "AWS/Lambda"


class _Exact(dict[str, str]):
    """Dimensions that count when there are none, too: MiniStack looks whether they are true."""

    def __bool__(self) -> bool:
        return True


def install() -> None:
    """Replace how requests read dimensions, and write the totals of all functions."""
    cloudwatch._dims_from_list = lambda given: _Exact(_dims_from_list(given))
    cloudwatch.record_metric = _record_with_total


def _record_with_total(
    namespace: str, metric_name: str, value: float, unit: str = "None", dimensions: dict[str, Any] | None = None
) -> None:
    _record_metric(namespace, metric_name, value, unit, dimensions)
    if namespace == _WITH_TOTALS and dimensions:
        _record_metric(namespace, metric_name, value, unit)

"""Log lines in CloudWatch's embedded metric format become metrics, of functions and of all other writers.

Source:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
As on AWS, a line that does not keep to the format stays a line of the log, and nothing else.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

from ministack.services import cloudwatch, cloudwatch_logs

logger = logging.getLogger("embedded metrics")

_append_log_events = cloudwatch_logs._append_log_events
_MARK = '"_aws"'
_MOST_METRICS, _MOST_DIMENSIONS, _MOST_VALUES = 100, 30, 100


def install() -> None:
    """Wrap the function that all log events come through."""
    cloudwatch_logs._append_log_events = _append_and_measure


def _append_and_measure(stream: dict[str, Any], events: list[dict[str, Any]]) -> None:
    _append_log_events(stream, events)
    for event in events:
        if _MARK in event["message"]:
            try:
                _measure(event["message"])
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                logger.info("A log line does not keep to the embedded metric format: %r", error)


def _measure(message: str) -> None:
    line = json.loads(message)
    told = line["_aws"]
    moment = float(told["Timestamp"]) / 1000
    data = [datum for directive in told["CloudWatchMetrics"] for datum in _data(line, directive)]
    for namespace, name, dimensions, unit, values in data:
        cloudwatch._store_datum(namespace, name, dimensions, moment, unit, None, values, None, None)


def _data(
    line: dict[str, Any], directive: dict[str, Any]
) -> Iterator[tuple[str, str, dict[str, str], str, list[float]]]:
    """Each metric of a directive, in each of its sets of dimensions."""
    metrics, sets = directive["Metrics"], directive.get("Dimensions") or [[]]
    if len(metrics) > _MOST_METRICS:
        raise ValueError(f"more than {_MOST_METRICS} metrics")
    for keys in sets:
        if len(keys) > _MOST_DIMENSIONS:
            raise ValueError(f"more than {_MOST_DIMENSIONS} dimensions")
        dimensions = {key: _text(line[key]) for key in keys}
        for metric in metrics:
            given = line.get(metric["Name"])
            values = given if isinstance(given, list) else [] if given is None else [given]
            if len(values) > _MOST_VALUES or any(isinstance(each, bool | str) for each in values):
                raise ValueError(f"{metric['Name']} is no number, and no list of at most {_MOST_VALUES} numbers")
            if values:
                numbers = [float(each) for each in values]
                yield directive["Namespace"], metric["Name"], dimensions, metric.get("Unit", "None"), numbers


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a dimension is no text")
    return value

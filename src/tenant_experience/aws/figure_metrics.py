"""The figures of an evaluation as metrics of CloudWatch, on which an alarm can be set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

import boto3

from tenant_experience.environment import setting
from tenant_experience.queue.file_evaluation import numbers

_IN_ONE_CALL = 500  # CloudWatch takes 1,000


@cache
def cloudwatch() -> Any:
    """One client per process, made on first use."""
    return boto3.client("cloudwatch")


def put(use_case: str, evaluation: Mapping[str, Any], moment: datetime) -> None:
    """Writes the figures of a file, with the dimension UseCase, and of its partitions, with Partition too.

    The namespace is ``<project>/queue``.
    """
    data = list(_data(use_case, evaluation, moment))
    for start in range(0, len(data), _IN_ONE_CALL):
        cloudwatch().put_metric_data(
            Namespace=f"{setting('PROJECT')}/queue", MetricData=data[start : start + _IN_ONE_CALL]
        )


def _data(use_case: str, evaluation: Mapping[str, Any], moment: datetime) -> Iterator[dict[str, Any]]:
    of_use_case = [{"Name": "UseCase", "Value": use_case}]
    figures = [(of_use_case, evaluation["file"])]
    for name, found in evaluation["partitions"].items():
        figures.append(([*of_use_case, {"Name": "Partition", "Value": name}], found))
    for dimensions, found in figures:
        for name, value in numbers(found).items():
            yield {"MetricName": name, "Dimensions": dimensions, "Timestamp": moment, "Value": value}

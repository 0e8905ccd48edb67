"""What scoring a million tenants each night costs: by batch transform, by one processing job, and by the queue.

    python -m bench.scoring_cost

It prints the table of docs/scoring.md. Rows per second and bytes per row are those that ``python -m bench.transform
--write`` measured (bench/transform.json), of tenants with groups and with reasons. Prices are those of
bench/prices.json, which nobody has verified. All else is assumed, and printed below the table.
"""

from __future__ import annotations

import json
import math
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from bench.transform_ways import EXPLAINED, IN_JOB, MEASURED

PRICES = Path(__file__).with_name("prices.json")
MODEL = "tenants"
ROWS = 1_000_000
NIGHTS = 30
_CPUS = {"ml.m5.large": 2, "ml.m5.xlarge": 4}
# As the state machine runs them: ProcessingInstanceType, and rows of an instance of a batch transform.
_PROCESSING = "ml.m5.xlarge"
_ROWS_PER_INSTANCE = 250_000
_START_MINUTES = 4.0
# Of PrepareScoring and PublishAnswers, each on one core. The latter writes each answer to DynamoDB by itself.
_PREPARED_PER_SECOND, _PUBLISHED_PER_SECOND = 20_000, 2_000
_ROWS_PER_FILE = 250_000
# The queue: rows of a message, messages of a call and of a consumer's batch, and what the functions have.
_ROWS_PER_MESSAGE, _MESSAGES_PER_CALL, _MESSAGES_PER_BATCH = 50, 10, 10
_SPLIT_GB, _CONSUMER_GB, _CONSUMERS = 1.73, 0.5, 4
_SPLIT_PER_SECOND = 5_000
# Beside the seconds for which it waits for the endpoint.
_CONSUMER_SECONDS = 0.5
# Working files; and predictions, whose Parquet takes a part of the bytes of the answers.
_DAYS_KEPT, _PREDICTION_DAYS, _PARQUET_SHARE = 14, 400, 0.25
_KEY_BYTES = 200


@dataclass(frozen=True)
class Cost:
    """Of one night, in USD but for the minutes.

    Attributes:
        name: the way.
        minutes: from the start to the last answer.
        instances: of jobs, or of an endpoint that runs for nothing else.
        requests: to S3 and SQS, and what S3 keeps.
        functions: Lambda.
        writes: DynamoDB.
    """

    name: str
    minutes: float
    instances: float
    requests: float = 0.0
    functions: float = 0.0
    writes: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return self.instances + self.requests + self.functions + self.writes


@dataclass(frozen=True)
class Speed:
    """What was measured: rows per second of a core, and bytes of a row.

    Attributes:
        lines: as JSON lines with reasons.
        job: with reasons, in a job.
        asked: bytes of a line of the request.
        answered: bytes of a line of the answer.
    """

    lines: int
    job: int
    asked: int
    answered: int

    @classmethod
    def read(cls) -> Speed:
        """From ``bench/transform.json``."""
        found = {each["way"]: each for each in json.loads(MEASURED.read_text())["measured"] if each["model"] == MODEL}
        lines, job = found[EXPLAINED], found[IN_JOB]
        return cls(lines["rows_per_second"], job["rows_per_second"], lines["bytes_asked"], lines["bytes_answered"])


def main() -> int:
    """Print the table; always 0."""
    sys.stdout.write(document(json.loads(PRICES.read_text()), Speed.read()))
    return 0


def document(prices: Mapping[str, Any], speed: Speed) -> str:
    """The table and what it assumes, as docs/scoring.md has them."""
    columns = ("way", "minutes", "instances", "S3, SQS", "Lambda", "DynamoDB", "a night", "a month")
    head = f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n"
    return head + "".join(_line(each) for each in costs(prices, speed)) + "\n" + _assumed(prices, speed)


def costs(prices: Mapping[str, Any], speed: Speed) -> list[Cost]:
    """Of each way, and of keeping the answers, which is the same for the first two."""
    return [
        *(_transform(kind, prices, speed) for kind in _CPUS),
        _job(prices, speed),
        _queue("the queue; the API's own endpoint, ml.m5.large", prices, speed, 0),
        _queue("the queue; an endpoint, ml.m5.large, for nothing else", prices, speed, 24),
        Cost("besides: keeping every answer in DynamoDB", 0, 0, writes=_kept(prices, speed)),
    ]


def _transform(kind: str, prices: Mapping[str, Any], speed: Speed) -> Cost:
    """PrepareScoring, a transform of several instances, PublishAnswers."""
    instances = math.ceil(ROWS / _ROWS_PER_INSTANCE)
    minutes = _START_MINUTES + _minutes(speed.lines * _CPUS[kind] * instances)
    around_minutes, around = _around(prices)
    cost = around + minutes / 60 * instances * float(prices["instance_hour"][kind])
    name = f"batch transform, {instances} {kind}"
    return Cost(name, around_minutes + minutes, cost, _files(prices, speed, ROWS * (speed.asked + speed.answered)))


def _job(prices: Mapping[str, Any], speed: Speed) -> Cost:
    """PrepareScoring, ScorePartitions in one process, PublishAnswers."""
    around_minutes, around = _around(prices)
    minutes = _START_MINUTES + _minutes(speed.job)
    cost = around + minutes / 60 * float(prices["instance_hour"][_PROCESSING])
    return Cost(
        f"one processing job, {_PROCESSING}",
        around_minutes + minutes,
        cost,
        _files(prices, speed, ROWS * speed.answered),
    )


def _queue(name: str, prices: Mapping[str, Any], speed: Speed, hours: float) -> Cost:
    """SplitFile, the queue, ScoreRows and the endpoint; answers are kept in the inference table."""
    kind = "ml.m5.large"
    messages = ROWS / _ROWS_PER_MESSAGE
    batches = messages / _MESSAGES_PER_BATCH
    asked = _minutes(speed.lines * _CPUS[kind])
    waited = batches * _CONSUMER_SECONDS / _CONSUMERS / 60
    split = _minutes(_SPLIT_PER_SECOND)
    busy = asked * 60 * _CONSUMERS + batches * _CONSUMER_SECONDS
    functions = (
        split * 60 * _SPLIT_GB * prices["lambda_gb_second"]
        + busy * _CONSUMER_GB * prices["lambda_gb_second"]
        + batches * prices["lambda_million_requests"] / 1e6
    )
    # Each ten messages are sent, received and deleted by one call each; a call is counted by its 64 KiB.
    sent = ROWS * speed.asked / 65_536 + messages / _MESSAGES_PER_CALL
    requests = (2 * sent + messages / _MESSAGES_PER_CALL) * prices["sqs_million_requests"] / 1e6
    # A transaction counts twice.
    writes = 2 * ROWS * _write_units(speed.answered) * prices["dynamodb_million_write_units"] / 1e6
    minutes = max(asked + waited, split)
    return Cost(name, minutes, hours * float(prices["instance_hour"][kind]), requests, functions, writes)


def _kept(prices: Mapping[str, Any], speed: Speed) -> float:
    """The answer table and its index by portfolio."""
    return 2 * ROWS * _write_units(speed.answered) * float(prices["dynamodb_million_write_units"]) / 1e6


def _around(prices: Mapping[str, Any]) -> tuple[float, float]:
    """Minutes and USD of PrepareScoring and PublishAnswers."""
    minutes = 2 * _START_MINUTES + _minutes(_PREPARED_PER_SECOND) + _minutes(_PUBLISHED_PER_SECOND)
    return minutes, minutes / 60 * float(prices["instance_hour"][_PROCESSING])


def _files(prices: Mapping[str, Any], speed: Speed, working: int) -> float:
    """Some files written and read; ``working`` bytes and the predictions are kept."""
    files = 3 * math.ceil(ROWS / _ROWS_PER_FILE) + 10
    touched = files * (prices["s3_thousand_puts"] + prices["s3_thousand_gets"]) / 1_000
    byte_days = working * _DAYS_KEPT + ROWS * speed.answered * _PARQUET_SHARE * _PREDICTION_DAYS
    return float(touched + byte_days / 1e9 * prices["s3_gb_month"] / 30)


def _write_units(answered: int) -> int:
    return math.ceil((answered + _KEY_BYTES) / 1_024)


def _page_units(speed: Speed) -> float:
    """Read units of 100 items of the index, eventually consistent: half a unit for each 4 KiB."""
    return math.ceil(100 * (speed.answered + _KEY_BYTES) / 4_096) / 2


def _minutes(rows_per_second: float) -> float:
    return ROWS / rows_per_second / 60


def _line(cost: Cost) -> str:
    figures = [f"{getattr(cost, each.name):.2f}" for each in fields(cost)[2:]]
    cells = [cost.name, f"{cost.minutes:.0f}" if cost.minutes else "", *figures, f"{cost.total:.2f}"]
    return f"| {' | '.join(cells)} | {NIGHTS * cost.total:.0f} |\n"


def _assumed(prices: Mapping[str, Any], speed: Speed) -> str:
    lines: Sequence[str] = (
        f"Prices: USD, on demand, {prices['region']}, {prices['date']}, {prices['status']} (bench/prices.json).",
        f"Measured: {speed.lines:,} rows a second and core as JSON lines with reasons, {speed.job:,} in a job, "
        f"{speed.asked} bytes asked and {speed.answered} answered. A vCPU is taken to be such a core.",
        f"Assumed: a job takes {_START_MINUTES:.0f} minutes to start, which are paid; PrepareScoring and "
        f"PublishAnswers take {_PREPARED_PER_SECOND:,} and {_PUBLISHED_PER_SECOND:,} rows a second, each in a job on "
        f"{_PROCESSING}; an instance of a transform gets {_ROWS_PER_INSTANCE:,} rows; one process of a job uses one "
        f"core; S3 keeps working files for {_DAYS_KEPT} days and predictions for {_PREDICTION_DAYS}, as Parquet with "
        f"{_PARQUET_SHARE:.0%} of the bytes of the answers.",
        f"The queue, whose files have at most 200,000 rows, so that these are five: {_ROWS_PER_MESSAGE} rows in a "
        f"message, {_MESSAGES_PER_BATCH} messages in a batch, {_CONSUMERS} consumers at once, which wait for the "
        f"endpoint and take {_CONSUMER_SECONDS} s more; SplitFile reads {_SPLIT_PER_SECOND:,} rows a second; a row is "
        "written in a transaction, which counts twice.",
        f"Kept answers: one write of the table and one of its index, each of {_write_units(speed.answered)} KiB; where "
        "the place in a portfolio changes, the index takes two. A page of a portfolio, 100 answers, reads "
        f"{_page_units(speed):.1f} units: {_page_units(speed) * prices['dynamodb_million_read_units']:.2f} USD for a "
        "million pages.",
    )
    return "".join(textwrap.fill(f"- {line}", 120, subsequent_indent="  ") + "\n" for line in lines)


if __name__ == "__main__":
    raise SystemExit(main())

"""How fast the laptop's Feature Store is, beside the DynamoDB of the same server.

``.venv/bin/python -m bench.feature_store`` starts a server of its own, on a free port and below ``.local/bench``, and
stops it. Operations take turns in short rounds, so that whatever else the machine does meets all of them alike. Rates
are medians over the rounds; a ratio above 1 is faster than DynamoDB. BatchGetRecord reads ten records a call.

The client, botocore's own work on a call, is most of the time here; the server's share is its CPU time (on Linux).
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.server import client_maker, start, state_folder

NAME = "tenants"
FEATURES = [f"feature_{number}" for number in range(12)]
THREADS = (1, 8)
BATCH = 10

Call = Callable[[int], Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.feature_store", description=__doc__)
    parser.add_argument("--calls", type=int, default=200, help="of each operation in a round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=9, help="for each number of threads (%(default)s)")
    options = parser.parse_args(arguments)
    with state_folder("feature-store") as folder:
        env = start(folder)
        operations = prepare(env)
        for threads in THREADS:
            rounds = measure(operations, env["server"], threads=threads, calls=options.calls, rounds=options.rounds)
            report(rounds, threads)
    return 0


def prepare(env: dict[str, str]) -> dict[str, Call]:
    """A table and a feature group, and what is measured of them; a call's argument is its number."""
    client = client_maker(env, connections=max(THREADS))
    dynamodb, sagemaker, runtime = (
        client(service) for service in ("dynamodb", "sagemaker", "sagemaker-featurestore-runtime")
    )
    dynamodb.create_table(
        TableName=NAME,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    types = {"id": "String", "event_time": "String"} | dict.fromkeys(FEATURES, "Fractional")
    sagemaker.create_feature_group(
        FeatureGroupName=NAME,
        RecordIdentifierFeatureName="id",
        EventTimeFeatureName="event_time",
        FeatureDefinitions=[{"FeatureName": name, "FeatureType": kind} for name, kind in types.items()],
        OnlineStoreConfig={"EnableOnlineStore": True},
    )
    while sagemaker.describe_feature_group(FeatureGroupName=NAME)["FeatureGroupStatus"] != "Created":
        time.sleep(0.05)
    began, moments = datetime.now(UTC), itertools.count()

    def row(number: int) -> dict[str, str]:
        moment = began + timedelta(seconds=next(moments))  # only a later event replaces a record
        features = {name: f"{number}.{position}" for position, name in enumerate(FEATURES)}
        return {"id": _id(number), "event_time": moment.strftime("%Y-%m-%dT%H:%M:%SZ")} | features

    def put_item(number: int) -> Any:
        values = {name: {"N" if name in FEATURES else "S": value} for name, value in row(number).items()}
        return dynamodb.put_item(TableName=NAME, Item=values)

    def put_record(number: int) -> Any:
        record = [{"FeatureName": name, "ValueAsString": value} for name, value in row(number).items()]
        return runtime.put_record(FeatureGroupName=NAME, Record=record)

    def get_item(number: int) -> Any:
        return dynamodb.get_item(TableName=NAME, Key={"id": {"S": _id(number)}})["Item"]

    def get_record(number: int) -> Any:
        return runtime.get_record(FeatureGroupName=NAME, RecordIdentifierValueAsString=_id(number))["Record"]

    def batch_get_record(number: int) -> Any:
        ids = [_id((number + step) % (number + 1)) for step in range(BATCH)]
        asked = {"FeatureGroupName": NAME, "RecordIdentifiersValueAsString": ids}
        return runtime.batch_get_record(Identifiers=[asked])["Records"]

    return {
        "PutItem": put_item,
        "PutRecord": put_record,
        "GetItem": get_item,
        "GetRecord": get_record,
        "BatchGetRecord": batch_get_record,
    }


@dataclass(frozen=True)
class Round:
    """Some calls of one operation: how many a second, and the server's CPU time for each, in seconds."""

    rate: float
    cpu: float


def measure(
    operations: dict[str, Call], server_pid: str, *, threads: int, calls: int, rounds: int
) -> dict[str, list[Round]]:
    """Every operation in every round; the first round only warms up."""
    found: dict[str, list[Round]] = {name: [] for name in operations}
    with ThreadPoolExecutor(threads) as pool:
        for number in range(rounds + 1):
            for name, call in operations.items():
                began, used = time.perf_counter(), _cpu_seconds(server_pid)
                list(pool.map(call, range(calls)))
                took = time.perf_counter() - began
                if number:
                    found[name].append(Round(calls / took, (_cpu_seconds(server_pid) - used) / calls))
    return found


def report(rounds: dict[str, list[Round]], threads: int) -> None:
    """Print the median and range of each operation's rate, the server's time, and ratios to DynamoDB's."""
    head = f"{threads} thread{'s' if threads > 1 else ''}"
    print(f"\n{head:<16} calls/s {'(range)':<14} server us/call   ratios of calls/s and server time")  # noqa: T201
    rate = {name: statistics.median(each.rate for each in found) for name, found in rounds.items()}
    cpu = {name: statistics.mean(each.cpu for each in found) for name, found in rounds.items()}  # in clock ticks
    for name, found in rounds.items():
        beside = "PutItem" if name.startswith("Put") else "GetItem"
        rates = [each.rate for each in found]
        spread = f"({min(rates):.0f} - {max(rates):.0f})"
        ratio = ""
        if name != beside:
            ratio = f"{rate[name] / rate[beside]:.2f}, {cpu[name] / (cpu[beside] or 1):.2f} of {beside}"
        print(f"{name:<16}{rate[name]:>8.0f} {spread:<15}{1e6 * cpu[name]:>14.0f}   {ratio}")  # noqa: T201


def _cpu_seconds(supervisor: str) -> float:
    """What the supervisor's child has used of the processors; 0 where there is no /proc."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children")
    if not children.exists():
        return 0.0
    fields = Path(f"/proc/{children.read_text().split()[0]}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _id(number: int) -> str:
    return f"tenant-{number:06}"


if __name__ == "__main__":
    sys.exit(main())

"""How fast the laptop's Feature Store is, beside the DynamoDB of the same server.

``.venv/bin/python -m bench.feature_store`` starts a server of its own, on a free port and below ``.local/bench``, and
stops it. Operations take turns in short rounds, so that whatever else the machine does meets all of them alike. Rates
are medians over the rounds; a ratio above 1 is faster than DynamoDB's operation of the same kind. The batches write 25
records a call, the most that either takes, and read ten; the rates are records, not calls.

The client, botocore's own work on a call, is most of the time of single records; the server's share is its CPU time (on
Linux). Ingestion is the whole of ``tenant_experience.features.ingestion`` over the same server: first all records are
new, then none has changed.
"""

from __future__ import annotations

import argparse
import itertools
import math
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
from tenant_experience.aws.feature_store_writer import FeatureGroup, runtime_client
from tenant_experience.features.ingestion import AS_OF, serve

NAME = "tenants"
FEATURES = [f"feature_{number}" for number in range(12)]
THREADS = (1, 8)
READ_AT_ONCE = 10
WRITTEN_AT_ONCE = 25

Call = Callable[[int], Any]


@dataclass(frozen=True)
class Operation:
    """What is measured: a call by its number, the records it is about, and DynamoDB's own of that kind."""

    call: Call
    records: int = 1
    beside: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.feature_store", description=__doc__)
    parser.add_argument("--calls", type=int, default=200, help="records of each operation in a round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=9, help="for each number of threads (%(default)s)")
    parser.add_argument("--records", type=int, default=20_000, help="that are ingested (%(default)s)")
    options = parser.parse_args(arguments)
    with state_folder("feature-store") as folder:
        env = start(folder)
        operations = prepare(env)
        for threads in THREADS:
            rounds = measure(operations, env["server"], threads=threads, calls=options.calls, rounds=options.rounds)
            report(operations, rounds, threads)
        ingest_twice(env, options.records)
    return 0


def prepare(env: dict[str, str]) -> dict[str, Operation]:
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
    types = {"id": "String", "event_time": "String", AS_OF: "String"} | dict.fromkeys(FEATURES, "Fractional")
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

    def item(number: int) -> Any:
        return {name: {"N" if name in FEATURES else "S": value} for name, value in row(number).items()}

    def put_item(number: int) -> Any:
        return dynamodb.put_item(TableName=NAME, Item=item(number))

    def record(number: int) -> Any:
        return [{"FeatureName": name, "ValueAsString": value} for name, value in row(number).items()]

    def put_record(number: int) -> Any:
        return runtime.put_record(FeatureGroupName=NAME, Record=record(number))

    def ids(number: int) -> range:
        return range(number * WRITTEN_AT_ONCE, (number + 1) * WRITTEN_AT_ONCE)

    def batch_write_item(number: int) -> Any:
        requests = [{"PutRequest": {"Item": item(each)}} for each in ids(number)]
        return dynamodb.batch_write_item(RequestItems={NAME: requests})

    def batch_write_record(number: int) -> Any:
        entries = [{"FeatureGroupName": NAME, "Record": record(each)} for each in ids(number)]
        return runtime.batch_write_record(Entries=entries)

    def get_item(number: int) -> Any:
        return dynamodb.get_item(TableName=NAME, Key={"id": {"S": _id(number)}})["Item"]

    def get_record(number: int) -> Any:
        return runtime.get_record(FeatureGroupName=NAME, RecordIdentifierValueAsString=_id(number))["Record"]

    def batch_get_record(number: int) -> Any:
        ids = [_id((number + step) % (number + 1)) for step in range(READ_AT_ONCE)]
        asked = {"FeatureGroupName": NAME, "RecordIdentifiersValueAsString": ids}
        return runtime.batch_get_record(Identifiers=[asked])["Records"]

    return {
        "PutItem": Operation(put_item),
        "PutRecord": Operation(put_record, beside="PutItem"),
        "BatchWriteItem": Operation(batch_write_item, WRITTEN_AT_ONCE),
        "BatchWriteRecord": Operation(batch_write_record, WRITTEN_AT_ONCE, beside="BatchWriteItem"),
        "GetItem": Operation(get_item),
        "GetRecord": Operation(get_record, beside="GetItem"),
        "BatchGetRecord": Operation(batch_get_record, READ_AT_ONCE, beside="GetItem"),
    }


def ingest_twice(env: dict[str, str], count: int) -> None:
    """The rate of whole ingestions, of new records and of unchanged ones."""
    os.environ |= {name: value for name, value in env.items() if name.startswith("AWS_")}
    store = FeatureGroup(runtime_client(), NAME, "id")
    features = {name: f"0.{position}" for position, name in enumerate(FEATURES)}
    records = [{"id": f"ingested-{number:06}", AS_OF: "2026-11-20T10:00:00Z"} | features for number in range(count)]
    for kind in ("new", "unchanged"):
        said: list[str] = []
        serve(store, records, began=datetime.now(UTC), report=said.append)
        print(f"\nIngestion, {kind}: {said[-1]}")  # noqa: T201


@dataclass(frozen=True)
class Round:
    """Some calls of one operation: records a second, and the server's CPU time for each record, in seconds."""

    rate: float
    cpu: float


def measure(
    operations: dict[str, Operation], server_pid: str, *, threads: int, calls: int, rounds: int
) -> dict[str, list[Round]]:
    """Every operation in every round; the first round only warms up."""
    found: dict[str, list[Round]] = {name: [] for name in operations}
    with ThreadPoolExecutor(threads) as pool:
        for number in range(rounds + 1):
            for name, operation in operations.items():
                repeated = math.ceil(calls / operation.records)
                records = repeated * operation.records
                began, used = time.perf_counter(), _cpu_seconds(server_pid)
                list(pool.map(operation.call, range(repeated)))
                took = time.perf_counter() - began
                if number:
                    found[name].append(Round(records / took, (_cpu_seconds(server_pid) - used) / records))
    return found


def report(operations: dict[str, Operation], rounds: dict[str, list[Round]], threads: int) -> None:
    """Print the median and range of each operation's rate, the server's time, and ratios to DynamoDB's."""
    head = f"{threads} thread{'s' if threads > 1 else ''}"
    print(f"\n{head:<17}records/s {'(range)':<14} server us/record   ratios of rate and server time")  # noqa: T201
    rate = {name: statistics.median(each.rate for each in found) for name, found in rounds.items()}
    cpu = {name: statistics.mean(each.cpu for each in found) for name, found in rounds.items()}  # in clock ticks
    for name, found in rounds.items():
        beside = operations[name].beside
        rates = [each.rate for each in found]
        spread = f"({min(rates):.0f} - {max(rates):.0f})"
        ratio = ""
        if beside:
            ratio = f"{rate[name] / rate[beside]:.2f}, {cpu[name] / (cpu[beside] or 1):.2f} of {beside}"
        print(f"{name:<17}{rate[name]:>9.0f} {spread:<15}{1e6 * cpu[name]:>16.0f}   {ratio}")  # noqa: T201


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

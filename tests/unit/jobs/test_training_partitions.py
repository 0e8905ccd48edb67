from __future__ import annotations

import json
from pathlib import Path

import pytest

from tenant_experience.errors import AlgorithmError, PlatformError, UserError
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.jobs.partition_runs import (
    Partition,
    PartitionOutcome,
    not_ready,
    read_shard,
    run_partitions,
    shard_outcome,
)

NORTH, SOUTH = Partition("North", "north"), Partition("South", "south")


def test_one_failure_does_not_stop_the_others() -> None:
    def work(partition: Partition) -> dict[str, int]:
        if partition is NORTH:
            raise RuntimeError("disk on fire")
        return {"tenants": 3}

    rows = run_partitions([NORTH, SOUTH], work)
    assert [(row.slug, row.status, row.fault) for row in rows] == [
        ("north", "failed", "platform"),
        ("south", "ready", None),
    ]
    assert rows[0].message == "RuntimeError: disk on fire"
    outcome = shard_outcome(rows, shard=3)
    assert outcome.status == "ok"
    empty = {"fault": None, "code": None, "message": None}
    south = {"partition": "South", "slug": "south", "status": "ready", **empty, "tenants": 3}
    assert outcome.figures["partitions"][1] == south
    assert PartitionOutcome.read(south) == rows[1]
    assert not_ready(outcome, [NORTH, SOUTH]) == {"north": rows[0]}


def test_a_refusal_is_a_row_and_the_shards_reason() -> None:
    def refuse(partition: Partition) -> dict[str, int]:
        raise AlgorithmError(f"{partition.partition} is too small", code="too_small")

    rows = run_partitions([NORTH, SOUTH], refuse)
    outcome = shard_outcome(rows)
    assert (outcome.status, outcome.fault, outcome.code) == ("refused", "algorithm", "too_small")
    assert outcome.message == "North is too small"


@pytest.mark.parametrize("error", [RuntimeError("bug"), PlatformError("no disk", code="disk")])
def test_when_all_fail_the_job_fails(error: Exception) -> None:
    def fail(_partition: Partition) -> dict[str, int]:
        raise error

    with pytest.raises(type(error)):
        run_partitions([NORTH, SOUTH], fail)


def test_what_an_earlier_stage_gave_up_is_passed_on() -> None:
    refusal = Outcome.refused(UserError("x", code="bad_hyperparameter"))
    assert {row.code for row in not_ready(refusal, [NORTH, SOUTH]).values()} == {"bad_hyperparameter"}
    earlier = {"north": PartitionOutcome("North", "north", "refused", "algorithm", "c", "m", {"tenants": 3})}
    rows = run_partitions([NORTH, SOUTH], lambda _partition: {}, earlier)
    assert [row.status for row in rows] == ["refused", "ready"]


def test_a_shard_is_read_by_its_number(tmp_path: Path) -> None:
    shards = [{"shard": 1, "partitions": [{"partition": "North", "slug": "north", "tenants": 3}]}]
    (tmp_path / "partitions.json").write_text(json.dumps(shards))
    assert read_shard(tmp_path, 1) == [NORTH]
    with pytest.raises(PlatformError, match="no shard 0"):
        read_shard(tmp_path, 0)


def test_only_the_global_partition_is_on_the_global_scale() -> None:
    assert (Partition("all", "all").scale, NORTH.scale) == ("global", "local")

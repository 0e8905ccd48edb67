from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from tenant_experience.erasure.file import Eraser
from tenant_experience.erasure.id import ErasedId
from tenant_experience.erasure.mapping import RawMapping
from tenant_experience.evaluation._group_changes import GroupChanges, group_changes
from tenant_experience.features.table import FeatureTable
from tenant_experience.use_case.source import Source
from tests.support.generated_tenants import generated_table

NOW = generated_table(6)
CLASSES = ("good", "bad")


def more_than(limit: float):
    return lambda table: table.column("work_order_count") > limit


def orders(*counts: float) -> FeatureTable:
    values = NOW.values.copy()
    values[:, NOW.features.index("work_order_count")] = counts
    return replace(NOW, values=values)


def changes() -> GroupChanges:
    """T0 stays, T1 is moved by the data, T2 by the rule, T3 by both and so not at all; T4 is gone, T5 is new."""
    before, now = orders(1, 1, 4, 1, 1, 1), orders(1, 9, 4, 4, 1, 1)
    history = np.array(["sufficient"] * 4 + ["insufficient", "sufficient"])
    return group_changes(before.take(np.arange(5)), replace(now, history=history), more_than(3), more_than(5), CLASSES)


def test_what_the_data_moved_and_what_the_rule_moved() -> None:
    assert changes().counts().document() == {
        "tenants": 4,
        "moved": 2,
        "by_data": 2,
        "by_model": 2,
        "table": [
            {"from": "good", "to": "good", "tenants": 2},
            {"from": "good", "to": "bad", "tenants": 1},
            {"from": "bad", "to": "good", "tenants": 1},
        ],
        "new": 1,
        "gone": 1,
    }


def test_the_file_names_who_was_moved_and_a_tenant_is_erased_from_it(tmp_path: Path) -> None:
    path, target = tmp_path / "group_changes.parquet", tmp_path / "target"
    pq.write_table(changes().to_arrow("all"), path)
    told = [
        (row["tenant_id"], row["before"], row["moved_by_data"], row["now"]) for row in pq.read_table(path).to_pylist()
    ]
    assert told == [
        ("T000001", "good", "bad", "bad"),
        ("T000002", "bad", "bad", "good"),
        ("T000003", "good", "bad", "good"),
    ]
    source = Source.model_validate({"kind": "table", "columns": {"tenant_id": "tenant_id"}})
    with RawMapping.open(source, "tenant_id", ErasedId(("T000002",))) as mapping:
        eraser = Eraser(ErasedId(("T000002",)), "tenant_id", mapping, is_raw=False)
        found = eraser.erase(path, "reports/r1/0/group_changes.parquet", target)
    assert (found.removed, found.left) == (1, "rewritten")
    assert pq.read_table(io.BytesIO(target.read_bytes()))["tenant_id"].to_pylist() == ["T000001", "T000003"]

"""groups.parquet, and the tenants of a partition, read one partition at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tenant_experience.errors import PlatformError
from tenant_experience.groups.file import SCHEMA, GroupRows, read_groups, to_arrow, write_groups
from tests.support.generated_tenants import generated_table, use_case


def rows(first: int, count: int) -> GroupRows:
    ids = np.asarray([f"T{number:04d}" for number in range(first, first + count)])
    parts = np.asarray(["train", "", "test"])[np.arange(count) % 3]
    return GroupRows(ids, parts, np.arange(count) / count, np.arange(count) % 2.0, ("good", "bad"))


def test_a_partition_is_read_without_the_others(tmp_path: Path) -> None:
    written = {"north": rows(0, 50), "south": rows(20, 70), "all": rows(0, 100)}
    path = tmp_path / "groups.parquet"
    write_groups([to_arrow(each, slug) for slug, each in written.items()], path)
    groups = pq.ParquetFile(path).metadata
    assert [groups.row_group(place).num_rows for place in range(groups.num_row_groups)] == [50, 70, 100]
    for slug, expected in written.items():
        found = read_groups(path, slug, use_case().labels)
        assert found.classes == expected.classes
        for name in ("tenant_id", "split", "score", "label"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_without_partitions_there_is_a_file_without_rows(tmp_path: Path) -> None:
    write_groups([], tmp_path / "groups.parquet")
    assert pq.read_schema(tmp_path / "groups.parquet").names == SCHEMA.names
    assert len(read_groups(tmp_path / "groups.parquet", "all", use_case().labels).tenant_id) == 0


def test_the_tenants_of_a_partition_are_in_order_and_those_of_an_unknown_one_nobody() -> None:
    table = generated_table(300)
    slugs = np.asarray(["south", "north", "all"])[np.random.default_rng(3).integers(0, 3, 300)]
    table = replace(table, partition_slug=slugs)
    for slug in ("north", "south"):
        found = table.of_partition(slug)
        np.testing.assert_array_equal(found.tenant_id, table.tenant_id[slugs == slug])
        np.testing.assert_array_equal(found.values, table.values[slugs == slug])
    assert len(table.of_partition("all")) == 300
    assert len(table.of_partition("west")) == len(table.take(np.arange(0)).of_partition("west")) == 0


def test_each_tenant_gets_its_own_features_whatever_the_order_of_both_files() -> None:
    table = generated_table(300)
    chosen = np.random.default_rng(4).permutation(300)[:200]
    groups = rows(0, 200)
    aligned = replace(groups, tenant_id=table.tenant_id[chosen]).align(table)
    np.testing.assert_array_equal(aligned.tenant_id, table.tenant_id[chosen])
    np.testing.assert_array_equal(aligned.values, table.values[chosen])


@pytest.mark.parametrize("stranger", ["", "zzzz"])
def test_groups_of_a_tenant_without_features_are_refused(stranger: str) -> None:
    table = generated_table(30)
    ids = table.tenant_id.astype("U32")
    ids[7] = stranger
    with pytest.raises(PlatformError) as refused:
        replace(rows(0, 30), tenant_id=ids).align(table)
    assert refused.value.code == "groups_file"

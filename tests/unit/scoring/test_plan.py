"""How large batch transforms are, and which models get one."""

from __future__ import annotations

import pytest

from tenant_experience.release.release import PublishedModel
from tenant_experience.scoring.plan import MIB, MOST_TRANSFORMS, size_transform, transformed


@pytest.mark.parametrize("rows", [1, 10_000, 250_001, 10_000_000])
@pytest.mark.parametrize("bytes_per_row", [50, 1_500, 40_000])
def test_every_instance_has_work_and_sagemakers_limits_hold(rows: int, bytes_per_row: float) -> None:
    size = size_transform(rows, bytes_per_row)
    assert size.files % size.instances == 0
    assert size.payload_mb * size.concurrent <= 100
    assert 1 <= size.payload_mb <= 6
    assert rows / size.instances <= 250_000 or size.instances == 20
    assert rows * bytes_per_row / size.files <= 64 * MIB or size.files == size.instances


def test_sizes_that_are_documented() -> None:
    small, million = size_transform(10_000, 1_500), size_transform(1_000_000, 1_500)
    assert (small.instances, small.files, small.payload_mb, small.concurrent) == (1, 1, 2, 4)
    assert (million.instances, million.files, million.payload_mb, million.concurrent) == (4, 24, 2, 4)


def test_models_with_enough_rows_are_transformed_and_the_others_wait_for_one_job() -> None:
    rows = {PublishedModel(f"p{number:03}", "r1"): number for number in range(200)}
    assert [model.slug for model in transformed(rows, 198)] == ["p199", "p198"]
    assert transformed(rows, 0) == []
    assert len(transformed(rows, 1)) == MOST_TRANSFORMS

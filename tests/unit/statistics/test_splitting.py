from __future__ import annotations

import numpy as np

from tenant_experience.statistics.splitting import TEST, TRAIN, VALIDATION, split_tenants

IDS = [f"T{number}" for number in range(3_000)]
STRATA = np.arange(3_000) % 3


def test_each_stratum_is_split_70_20_10() -> None:
    parts = split_tenants(IDS, STRATA)
    for stratum in range(3):
        members = parts[stratum == STRATA]
        assert [int((members == part).sum()) for part in (TRAIN, VALIDATION, TEST)] == [700, 200, 100]


def test_row_order_changes_nothing() -> None:
    parts = dict(zip(IDS, split_tenants(IDS, STRATA), strict=True))
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(IDS))
        again = split_tenants([IDS[row] for row in order], STRATA[order])
        assert dict(zip((IDS[row] for row in order), again, strict=True)) == parts


def test_another_seed_is_another_split() -> None:
    assert np.mean(split_tenants(IDS, STRATA, seed=1) == split_tenants(IDS, STRATA, seed=2)) < 0.7


def test_new_tenants_hardly_move_the_others() -> None:
    """What judged the last model must not have taught the next one."""
    before = split_tenants(IDS, STRATA)
    more = [*IDS, *(f"N{number}" for number in range(300))]
    after = split_tenants(more, np.arange(3_300) % 3)[:3_000]
    assert np.mean(before == after) > 0.95


def test_few_tenants_are_all_placed() -> None:
    assert set(split_tenants(["a"], np.array([0]))) == {TRAIN}
    assert "" not in split_tenants(["a", "b", "c"], np.array([0, 1, 2]))

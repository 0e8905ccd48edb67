from __future__ import annotations

import numpy as np
import pytest

from tenant_experience.statistics.splitting import (
    TEST,
    TRAIN,
    VALIDATION,
    number_hashes,
    row_hashes,
    smallest_keys,
    split_rows,
    spread_keys,
    text_hashes,
)

CHANCE = np.random.default_rng(7)
ROWS = CHANCE.poisson(3, (3_000, 6)).astype(float)
STRATA = np.arange(3_000) % 3
# They must never change: another key is another split.
PINNED = [8190039797773981336, 6189983562542073148, 4675694550877874494]
NORTH, SOUTH = 6164347370713582292, 9747827944805776462


def keys_of(rows: np.ndarray, seed: int = 1) -> np.ndarray:
    return spread_keys(row_hashes([number_hashes(column) for column in rows.T], len(rows)), seed)


def test_each_stratum_is_split_70_20_10() -> None:
    parts = split_rows(keys_of(ROWS), STRATA)
    for stratum in range(3):
        members = parts[stratum == STRATA]
        assert [int((members == part).sum()) for part in (TRAIN, VALIDATION, TEST)] == [700, 200, 100]


def test_row_order_changes_nothing() -> None:
    distinct = np.column_stack([ROWS, np.arange(3_000)])
    parts = split_rows(keys_of(distinct), STRATA)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(ROWS))
        assert (split_rows(keys_of(distinct[order]), STRATA[order]) == parts[order]).all()


def test_another_seed_is_another_split() -> None:
    assert np.mean(split_rows(keys_of(ROWS), STRATA) == split_rows(keys_of(ROWS, seed=2), STRATA)) < 0.7


def test_new_rows_hardly_move_the_others() -> None:
    """What tested the last model must not have taught the next one."""
    before = split_rows(keys_of(ROWS), STRATA)
    more = np.vstack([ROWS, CHANCE.poisson(3, (300, 6))])
    after = split_rows(keys_of(more), np.arange(3_300) % 3)[:3_000]
    assert np.mean(before == after) > 0.95


def test_the_same_keys_in_every_process_and_on_every_machine() -> None:
    assert keys_of(np.array([[0.0, 1.5], [np.nan, 2.0], [0.0, 1.5]])).tolist() == PINNED
    assert text_hashes(np.array(["north", "south", "north"])).tolist() == [NORTH, SOUTH, NORTH]


def test_a_zero_has_no_sign_and_a_gap_one_spelling() -> None:
    odd_gap = np.array([0x7FF8000000000001], dtype=np.uint64).view(np.float64)
    assert number_hashes(np.array([-0.0, np.nan])).tolist() == number_hashes(np.append(0.0, odd_gap)).tolist()


def test_rows_that_are_alike_are_spread_over_the_parts() -> None:
    parts = split_rows(keys_of(np.vstack([np.zeros((500, 6)), ROWS[:500]])), np.zeros(1_000, dtype=int))
    counts = [int((parts[:500] == part).sum()) for part in (TRAIN, VALIDATION, TEST)]
    assert counts == pytest.approx([350, 100, 50], abs=30)


@pytest.mark.parametrize("column", range(6))
def test_no_value_decides_the_part(column: int) -> None:
    """A split that hangs on the rows must not favour any of them."""
    distinct = np.random.default_rng(column).gamma(2, 5, (60_000, 6))
    parts = split_rows(keys_of(distinct), np.zeros(60_000, dtype=int))
    for part in (TRAIN, VALIDATION, TEST):
        chosen = distinct[parts == part, column]
        assert abs(chosen.mean() - distinct[:, column].mean()) < 4 * chosen.std() / np.sqrt(len(chosen))


def test_few_rows_are_all_placed() -> None:
    assert set(split_rows(keys_of(ROWS[:1]), np.array([0]))) == {TRAIN}
    assert "" not in split_rows(keys_of(ROWS[:3]), np.array([0, 1, 2]))
    assert len(split_rows(keys_of(ROWS[:0]), np.array([], dtype=int))) == 0


def test_a_sample_is_ascending_and_hangs_on_the_keys_alone() -> None:
    keys = keys_of(ROWS)
    places = smallest_keys(keys, 100)
    assert (np.diff(places) > 0).all()
    assert sorted(keys[places].tolist()) == sorted(keys.tolist())[:100]
    assert smallest_keys(keys, 5_000).tolist() == list(range(3_000))

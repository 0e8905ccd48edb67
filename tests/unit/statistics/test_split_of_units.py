"""Rows that stay together, and rows in order of time."""

from __future__ import annotations

import numpy as np
import pytest

from tenant_experience.statistics.splitting import TEST, TRAIN, VALIDATION, split_by_time, split_rows, split_units

PARTS = (TRAIN, VALIDATION, TEST)


def keys(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**63, count).astype(np.uint64)


def shares(parts: np.ndarray, rows: np.ndarray) -> list[float]:
    return [float(np.mean(parts[rows] == part)) for part in PARTS]


def test_no_unit_is_divided_and_the_shares_and_classes_hold() -> None:
    drawn = np.random.default_rng(7)
    units = np.sort(drawn.integers(0, 500, 5_000))
    strata = (drawn.random(5_000) < 0.2).astype(int)

    parts = split_units(keys(500), units, strata)

    assert all(len(np.unique(parts[units == unit])) == 1 for unit in np.unique(units))
    for rows in (strata == 0, strata == 1):
        np.testing.assert_allclose(shares(parts, rows), [0.7, 0.2, 0.1], atol=0.02)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([5, 5, 5], [5, 5, 5]),
        ([100] * 10, [700, 200, 100]),
        ([900, 50, 50], [900, 50, 50]),
        ([30, 30, 30, 30], [60, 30, 30]),
    ],
)
def test_few_units_fill_all_parts(sizes: list[int], expected: list[int]) -> None:
    units = np.repeat(np.arange(len(sizes)), sizes)

    parts = split_units(keys(len(sizes)), units, np.zeros(len(units), dtype=int))

    assert [int((parts == part).sum()) for part in PARTS] == expected


def test_units_of_one_row_are_split_as_rows_are() -> None:
    strata = np.arange(200) % 2
    for parts in (
        split_units(keys(200), np.arange(200), strata),
        split_rows(keys(200), strata),
    ):
        assert [int((parts == part).sum()) for part in PARTS] == [140, 40, 20]


def test_time_decides_and_no_time_is_cut() -> None:
    days = np.datetime64("2026-01-01") + np.random.default_rng(3).integers(0, 40, 1_000)

    parts = split_by_time(days)

    assert parts is not None
    first = {part: days[parts == part].min() for part in PARTS}
    last = {part: days[parts == part].max() for part in PARTS}
    assert last[TRAIN] < first[VALIDATION] <= last[VALIDATION] < first[TEST]
    np.testing.assert_allclose(shares(parts, np.arange(1_000)), [0.7, 0.2, 0.1], atol=0.02)


def test_three_times_make_three_parts_whatever_their_sizes() -> None:
    days = np.repeat(np.array(["2026-03-01", "2026-01-01", "2026-02-01"], dtype="datetime64[us]"), [1, 2, 97])

    parts = split_by_time(days)

    assert parts is not None
    assert parts[[0, 1, 3]].tolist() == [TEST, TRAIN, VALIDATION]


def test_two_times_cannot_be_split() -> None:
    assert split_by_time(np.array(["2026-01-01", "2026-01-02"], dtype="datetime64[us]")) is None


def test_of_two_cuts_equally_near_the_earlier_one_is_taken() -> None:
    parts = split_by_time(np.arange(5).astype("datetime64[D]"))

    assert parts is not None
    assert parts.tolist() == [TRAIN] * 3 + [VALIDATION, TEST]

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, rankdata

from tenant_experience.statistics.ranks import average_ranks, probability_worse, severity_scores, thirds


def test_ranks_are_those_of_a_reference_with_ties() -> None:
    values = np.random.default_rng(1).integers(0, 20, 500).astype(float)
    assert np.array_equal(average_ranks(values), rankdata(values))


def test_probability_worse_by_hand() -> None:
    values = np.array([1.0, 2.0, 2.0, 3.0])
    bad = np.array([False, False, True, True])
    # Pairs bad > good: (2,1) (2,2 tie) (3,1) (3,2) -> 3.5 of 4.
    assert probability_worse(values, bad, 1) == 3.5 / 4
    assert probability_worse(values, bad, -1) == 0.5 / 4


def test_probability_worse_agrees_with_mann_whitney_and_leaves_gaps_out() -> None:
    chance = np.random.default_rng(2)
    values, bad = chance.poisson(2, 300).astype(float), chance.random(300) < 0.4
    values[::7] = np.nan
    known = ~np.isnan(values)
    expected = mannwhitneyu(values[bad & known], values[~bad & known]).statistic
    expected /= (bad & known).sum() * (~bad & known).sum()
    assert probability_worse(values, bad, 1) == pytest.approx(expected, abs=1e-12)


def test_a_group_without_values_has_no_probability() -> None:
    assert probability_worse(np.array([np.nan, 1.0]), np.array([True, False]), 1) is None


def test_scores_follow_the_directions_and_ignore_the_scale() -> None:
    matrix = np.array([[1.0, 0.9], [2.0, 0.5], [30.0, 0.1]])
    scores = severity_scores(matrix, [1, -1])
    assert list(np.argsort(scores)) == [0, 1, 2]
    assert np.allclose(scores, severity_scores(np.column_stack([matrix[:, 0] ** 3, matrix[:, 1] / 7]), [1, -1]))


def test_a_gap_counts_as_the_median() -> None:
    with_gap = severity_scores(np.array([[1.0], [2.0], [np.nan], [3.0]]), [1])
    filled = severity_scores(np.array([[1.0], [2.0], [2.0], [3.0]]), [1])
    assert np.array_equal(with_gap, filled)


def test_thirds_are_equal_parts() -> None:
    assert np.bincount(thirds(np.random.default_rng(3).normal(size=999))).tolist() == [333, 333, 333]
    assert thirds(np.zeros(6)).tolist() == [0, 0, 1, 1, 2, 2]

"""The slow figures are measured on a sample that depends on the tenants, and not on their order or their names."""

from __future__ import annotations

import numpy as np

from tenant_experience.evaluation._sample import sampled_rows
from tenant_experience.evaluation.missing_features import missing_feature_curve
from tenant_experience.evaluation.scored_rows import ScoredRows
from tenant_experience.models.encoding import Encoding, Matrix

ENCODING = Encoding(("a", "b", "c", "d"), {})
COUNT = 400


def part_of(rows: int) -> tuple[ScoredRows, Matrix]:
    """Few different values, so that many rows are alike; some are missing."""
    chance = np.random.default_rng(6)
    matrix = np.floor(chance.normal(0, 1.5, (rows, 4))).astype(np.float32)
    matrix[chance.random(matrix.shape) < 0.1] = np.nan
    labels = (np.nansum(matrix, axis=1) + chance.normal(0, 1, rows) > 0).astype(float)
    return ScoredRows("binary", labels, outputs(matrix)), matrix


def outputs(matrix: Matrix) -> np.ndarray:
    return 1 / (1 + np.exp(-np.nansum(matrix, axis=1).astype(np.float64)))


def test_a_small_part_is_measured_as_it_is() -> None:
    rows, matrix = part_of(COUNT)
    assert sampled_rows(rows, matrix, COUNT).tolist() == list(range(COUNT))


def test_the_same_tenants_in_another_order_give_the_same_sample() -> None:
    rows, matrix = part_of(3_000)
    order = np.random.default_rng(7).permutation(3_000)
    one, other = sampled_rows(rows, matrix, COUNT), order[sampled_rows(rows.take(order), matrix[order], COUNT)]
    assert len(set(one.tolist())) == len(one) == COUNT
    np.testing.assert_array_equal(matrix[one], matrix[other])
    np.testing.assert_array_equal(rows.labels[one], rows.labels[other])


def test_the_sample_is_like_the_whole() -> None:
    rows, matrix = part_of(3_000)
    sample = sampled_rows(rows, matrix, COUNT)
    for share in np.linspace(0.05, 0.95, 10):
        np.testing.assert_allclose(
            np.quantile(rows.outputs[sample], share), np.quantile(rows.outputs, share), atol=0.05
        )
    assert abs(rows.labels[sample].mean() - rows.labels.mean()) < 0.05


def test_the_curve_of_a_sample_lies_within_its_interval_of_the_whole_one() -> None:
    rows, matrix = part_of(3_000)
    sample = sampled_rows(rows, matrix, COUNT)
    whole, part = (
        missing_feature_curve(
            ENCODING,
            matrix[chosen],
            lambda hidden, chosen=chosen: ScoredRows("binary", rows.labels[chosen], outputs(hidden)),
        )
        for chosen in (np.arange(3_000), sample)
    )
    for every, some in zip(whole, part, strict=True):
        assert some.low is not None
        assert some.high is not None
        assert some.low <= (every.metrics["accuracy"] or 0) <= some.high

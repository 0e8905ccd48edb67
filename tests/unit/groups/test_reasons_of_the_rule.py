"""A rule of groups says exactly why a tenant is in its group: its parts add up to the difference of two distances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenant_experience.groups.grouping import FittedMarker, Grouping

CLASSES = {2: ("good", "bad"), 3: ("good", "opportunity", "bad")}


def grouping(groups: int, *, mixture: bool) -> Grouping:
    """Three markers; the second is better when it is higher."""
    chance = np.random.default_rng(groups)
    markers = []
    for number, direction in enumerate((1, -1, 1)):
        centroids = direction * np.sort(chance.normal(0, 1, groups))
        markers.append(
            FittedMarker(
                name=f"m{number}",
                direction=direction,
                transform="log1p" if number == 0 else "none",
                median=1.0,
                mean=1.5,
                deviation=2.0,
                centroids=tuple(centroids.tolist()),
                variances=tuple(chance.uniform(0.5, 2, groups).tolist()) if mixture else (),
                probability_worse=0.7,
            )
        )
    return Grouping(
        partition="all",
        slug="all",
        version="r1",
        scale="global",
        as_of="2026-11-01T00:00:00Z",
        method="gaussian_mixture" if mixture else "kmeans",
        classes=CLASSES[groups],
        markers=tuple(markers),
        weights=tuple(np.full(groups, 1 / groups) * np.arange(1, groups + 1) / np.arange(1, groups + 1).mean())
        if mixture
        else (),
        left_out={},
        checks={},
        fitted_tenants=100,
        fitted_bad=50,
        mean_scores={},
        explained_variance=0.5,
        iterations=3,
    )


def test_two_centroids_by_hand() -> None:
    rule = grouping(2, mixture=False)
    raw = np.array([[3.0, 0.5, -2.0]])
    [parts], [rest] = rule.reasons(raw, np.array([1]))
    standardised = (np.array([np.log1p(3.0), 0.5, -2.0]) - 1.5) / 2
    good, bad = (np.array([marker.centroids[place] for marker in rule.markers]) for place in (0, 1))
    assert parts == pytest.approx((bad - good) * (standardised - (good + bad) / 2))
    assert rest == 0
    assert sum(parts) == pytest.approx((((standardised - good) ** 2).sum() - ((standardised - bad) ** 2).sum()) / 2)


@pytest.mark.parametrize("mixture", [False, True])
@pytest.mark.parametrize("groups", [2, 3])
@given(values=st.lists(st.tuples(*[st.floats(0, 30)] * 3), min_size=1, max_size=5))
def test_the_parts_add_up_to_the_group(groups: int, mixture: bool, values: list[tuple[float, float, float]]) -> None:
    rule, raw = grouping(groups, mixture=mixture), np.array(values)
    group = rule.assign_values(raw).astype(int)
    parts, rest = rule.reasons(raw, group)
    total = parts.sum(axis=1) + rest
    assert parts.shape == raw.shape
    if groups == 2:
        clear = np.abs(total) > 1e-9
        assert np.array_equal((total > 0)[clear], (group == 1)[clear])
    else:
        # What speaks for the own group rather than the next one.
        assert np.all(total >= -1e-9)
    if not mixture:
        assert np.array_equal(rest, np.zeros(len(raw)))


def test_a_mixture_adds_up_to_the_log_odds() -> None:
    from scipy.stats import norm

    rule, raw = grouping(2, mixture=True), np.array([[2.0, 1.0, 4.0], [0.0, 3.0, 0.1]])
    parts, rest = rule.reasons(raw, rule.assign_values(raw).astype(int))
    standardised = (np.column_stack([np.log1p(raw[:, 0]), raw[:, 1:]]) - 1.5) / 2
    density = [
        np.log(rule.weights[place])
        + sum(
            norm.logpdf(standardised[:, column], marker.centroids[place], np.sqrt(marker.variances[place]))
            for column, marker in enumerate(rule.markers)
        )
        for place in (0, 1)
    ]
    assert parts.sum(axis=1) + rest == pytest.approx(density[1] - density[0])

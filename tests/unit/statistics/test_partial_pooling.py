"""Levels and slopes of partitions whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from tenant_experience.statistics.partial_pooling import Family, Rows, choose_effects


def drawn(
    sizes: list[int], levels: float, slopes: float, seed: int = 0, family: Family = "binary", noise: float = 1.0
) -> tuple[Rows, np.ndarray]:
    """Rows whose partitions differ by so much, and their true levels."""
    chance = np.random.default_rng(seed)
    count = len(sizes)
    place = np.repeat(np.arange(count), sizes)
    common = chance.normal(0, 1.2, len(place)) - 0.4
    level, slope = chance.normal(0, levels, count), chance.normal(0, slopes, count)
    answers = common + level[place] + slope[place] * common
    if family == "number":
        truth = answers + chance.normal(0, noise, len(place))
    else:
        truth = (chance.random(len(place)) < 1 / (1 + np.exp(-answers))).astype(np.float64)
    return Rows(family, common, truth, place, count), level


@pytest.mark.parametrize(("levels", "low", "high"), [(0.3, 0.2, 0.4), (0.6, 0.48, 0.75), (1.5, 1.2, 1.8)])
def test_the_deviation_between_partitions_is_found(levels: float, low: float, high: float) -> None:
    rows, _ = drawn([60] * 200, levels, 0)
    choice = choose_effects(rows)
    assert choice.taken == "level"
    assert low < choice.effects.between < high


def test_a_small_partition_is_shrunk_and_a_large_one_is_not() -> None:
    rows, truth = drawn([20] * 100 + [4_000] * 10, 0.6, 0)
    effects = choose_effects(rows).effects
    assert np.abs(effects.level[100:] - truth[100:]).max() < 0.2
    small = effects.level[:100]
    assert small.std() < 0.8 * truth[:100].std()
    assert np.corrcoef(small, truth[:100])[0, 1] > 0.5


@pytest.mark.parametrize("family", ["binary", "number"])
@pytest.mark.parametrize("seed", range(5))
def test_where_nothing_differs_levels_cost_nothing(family: Family, seed: int) -> None:
    rows, _ = drawn([25, 50, 100, 400] * 25, 0, 0, seed, family)
    choice = choose_effects(rows)
    assert choice.taken != "level_and_slope"
    assert np.abs(choice.effects.level).max() < 0.2
    new, _ = drawn([100] * 100, 0, 0, seed + 100, family)
    without, with_levels = new.losses(new.common).mean(), new.losses(choice.effects.answers(new)).mean()
    assert with_levels < without + 0.002


def test_slopes_are_taken_where_they_differ_only() -> None:
    sloped, _ = drawn([25, 100, 400] * 40, 0.5, 0.5)
    assert choose_effects(sloped).taken == "level_and_slope"
    level, _ = drawn([25, 100, 400] * 40, 0.5, 0)
    assert choose_effects(level).taken == "level"


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_numbers_of_any_unit_have_levels(scale: float) -> None:
    rows, truth = drawn([100] * 60, 2, 0, family="number")
    scaled = Rows("number", rows.common * scale, rows.truth * scale, rows.place, rows.partitions)
    choice = choose_effects(scaled)
    assert choice.taken == "level"
    assert np.abs(choice.effects.level / scale - truth).max() < 0.4
    assert choice.effects.between / scale == pytest.approx(truth.std(), rel=0.1)


def test_partitions_with_one_class_have_finite_levels() -> None:
    rows, _ = drawn([8] * 30, 4, 0)
    choice = choose_effects(rows)
    assert np.isfinite(choice.effects.level).all()
    assert np.isfinite(list(choice.losses.values())).all()


@pytest.mark.parametrize("family", ["binary", "number"])
def test_a_single_partition_and_a_partition_of_one_row_are_possible(family: Family) -> None:
    for sizes in ([200], [1, 1, 200], [1]):
        rows, _ = drawn(sizes, 0.5, 0, family=family)
        effects = choose_effects(rows).effects
        assert np.isfinite(effects.level).all()
        assert np.isfinite(effects.slope).all()

"""Sentences about what has moved since the live release: which way, how far, where, and how certain that is."""

from __future__ import annotations

from collections.abc import Mapping

from tenant_experience.data_quality._category_shift import CategoryShift
from tenant_experience.data_quality._level import LEAST_TENANTS, LevelChange, LevelShift, Measure
from tenant_experience.data_quality._shift import NumberShift
from tenant_experience.data_quality._stability import LARGE_SHIFT, SIGNIFICANCE
from tenant_experience.data_quality.feature_quality import Description, LabelDescription
from tenant_experience.pages.html_page import figure, words
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.words import Words

_NAMED = 3


def shift_warnings(
    features: Mapping[str, Description], labels: LabelDescription | None, use_case: UseCase
) -> list[str]:
    """A sentence for each feature that has moved, and for the labels, the farthest first. They refuse nothing.

    A feature whose level has moved is told by that; one whose distribution has changed in another way, by its PSI.

    Args:
        features: by name.
        labels: those that come from a column.
        use_case: names the features.
    """
    shifts, said = [], use_case.words
    for what, entry in described_columns(features, labels, use_case):
        name = what.removeprefix("feature ")
        called = (use_case.features[name].words if name in use_case.features else None) or words(name)
        shift = entry.shift
        level = level_sentence(called, shift.level, said) if isinstance(shift, NumberShift) and shift.level else None
        if shift and (level or shift.exceeds(LARGE_SHIFT)):
            shifts.append((shift.psi, level or _distribution(words(name), shift)))
    return [sentence for _, sentence in sorted(shifts, reverse=True)]


def described_columns(
    features: Mapping[str, Description], labels: LabelDescription | None, use_case: UseCase
) -> list[tuple[str, Description]]:
    """What gates and warnings look at: every feature, and labels that come from a column."""
    described = [(f"feature {name}", features[name]) for name in use_case.features]
    return described if labels is None else [*described, (f"the label {labels.column}", labels.described)]


def new_and_gone(shift: NumberShift | CategoryShift) -> str:
    """For a category, the most common value that is new, and the most common value that is gone."""
    if isinstance(shift, NumberShift):
        return ""
    turnover = [
        f"{word} {values.names[0]!r:.40}"
        for word, values in (("new", shift.new), ("gone", shift.gone))
        if values.values
    ]
    return f" ({', '.join(turnover)})" if turnover else ""


def which_way(shift: NumberShift | CategoryShift) -> str:
    """How far the mean of a number has risen or fallen, behind a comma; empty where that is not certain."""
    level = shift.level if isinstance(shift, NumberShift) else None
    if level is None or not level.change.moved:
        return ""
    means = " to ".join(figure(each, 2) for each in level.means)
    return f", it {_moved(level.change, level.measure)} (the mean went from {means})"


def level_sentence(called: str, level: LevelShift, said: Words) -> str | None:
    """How the level moved over all tenants, or in the portfolios that moved; None when it did nowhere.

    Args:
        called: what the feature is called.
        level: of the feature.
        said: the words for tenants and portfolios.
    """
    certainty = f"with {1 - SIGNIFICANCE:.0%} certainty over {level.comparisons} comparisons"
    change, measure = level.change, level.measure
    if change.moved and (2 * level.alike > level.portfolios or not level.moved):
        means, medians = (" to ".join(figure(each, 2) for each in pair) for pair in (level.means, level.medians))
        return (
            f"{called} {_moved(change, measure)} compared with the live release{_where(level, said)}: the mean went "
            f"from {means}, the median from {medians} ({_interval(change, measure)}, {certainty})"
        )
    if not level.moved:
        return None
    found = [
        f"{_moved(portfolio.change, measure)} in {portfolio.name!r:.60} ({_interval(portfolio.change, measure)})"
        for portfolio in level.farthest[:_NAMED]
    ]
    more = [f"moved in {level.moved - _NAMED} more {said.partitions}"] if level.moved > _NAMED else []
    return (
        f"{called} {', '.join(found + more)} compared with the live release, {certainty}; over all {said.records} the "
        f"size is {_size(change.size, measure)} ({level.portfolios} {said.partitions} have at least {LEAST_TENANTS} "
        f"{said.records})"
    )


def _distribution(name: str, shift: NumberShift | CategoryShift) -> str:
    return (
        f"{name} has shifted: PSI {shift.psi:.2f}, above {LARGE_SHIFT} and what chance can add "
        f"({shift.chance:.2f}){new_and_gone(shift)}"
    )


def _moved(change: LevelChange, measure: Measure) -> str:
    if measure == "ratio":
        return f"{'rose' if change.size > 1 else 'fell'} to {figure(change.size, 2)} times"
    return f"{'rose' if change.size > 0 else 'fell'} by {figure(abs(change.size), 2)}"


def _where(level: LevelShift, said: Words) -> str:
    if not level.portfolios:
        return ""
    some = "all" if level.alike == level.portfolios else f"{level.alike} of"
    return f", in {some} {level.portfolios} {said.partitions} with at least {LEAST_TENANTS} {said.records}"


def _size(size: float, measure: Measure) -> str:
    return f"{figure(size, 2)} times" if measure == "ratio" else f"{size:+.2f}"


def _interval(change: LevelChange, measure: Measure) -> str:
    low, high = sorted(change.interval, key=abs)
    if measure == "ratio":
        return f"{figure(low, 2)} to {figure(high, 2)} times"
    return f"by {figure(abs(low), 2)} to {figure(abs(high), 2)}"

"""Groups that are kept or inherited, and the share of bad by a rule that does not change."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tenant_experience.errors import AlgorithmError, UserError
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.earlier_rules import EarlierRules, GroupedPartition, choose_groups, read_rule_file
from tenant_experience.groups.grouping import Grouping
from tenant_experience.groups.yardstick import GroupShare, ShareChange, Yardstick
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.use_case.group_choice import FIND_NEW, KEEP, GroupChoice
from tenant_experience.use_case.schema import UseCase
from tests.support.generated_tenants import generated_table, settings_with, slower, use_case
from tests.support.words import TENANT_WORDS

ALL = Partition("all", "all")
FROM_R1 = GroupChoice("from", "r1")


@cache
def first() -> GroupedPartition:
    return choose_groups(
        generated_table(1_500, portfolios=("a", "b", "c")), ALL, use_case(), "r1", FIND_NEW, EarlierRules()
    )


def live() -> EarlierRules:
    return EarlierRules(first().grouping, first().yardstick)


def slowed(factor: float, portfolio: str | None = None) -> FeatureTable:
    return slower(generated_table(1_500, portfolios=("a", "b", "c")), factor, portfolio)


def bad_by_hand(rule: Grouping, table: FeatureTable) -> float:
    """The share that is nearer to the worst centroid, computed apart from the rule's own code."""
    nearer = np.zeros((len(rule.classes), len(table)))
    for marker in rule.markers:
        raw = table.column(marker.name)
        value = np.log1p(raw) if marker.transform == "log1p" else raw
        standardised = (np.where(np.isnan(value), marker.median, value) - marker.mean) / marker.deviation
        nearer += (standardised - np.array(marker.centroids)[:, np.newaxis]) ** 2
    return float((nearer.argmin(axis=0) == len(rule.classes) - 1).mean())


@pytest.mark.parametrize("factor", [1.5, 2.0, 4.0])
@pytest.mark.parametrize("choice", [KEEP, FIND_NEW], ids=["kept", "new"])
def test_when_all_wait_longer_the_frozen_rule_says_so(factor: float, choice: GroupChoice) -> None:
    table = slowed(factor)
    grouped = choose_groups(table, ALL, use_case(), "r2", choice, live())
    yardstick = grouped.yardstick
    expected = bad_by_hand(first().grouping, table.take(table.history != "insufficient"))
    assert yardstick.frozen is not None
    assert yardstick.frozen.whole.share == pytest.approx(expected, abs=1e-9)
    assert yardstick.change is not None
    assert yardstick.change.direction == "more"
    assert yardstick.change.difference > 0.03
    sentence = next(yardstick.sentences(TENANT_WORDS))
    assert sentence.startswith("Surely more tenants are bad than in release r1, by the same rule (that of release r1):")
    assert f"{first().yardstick.own.whole.share:.1%}" in sentence
    assert f"{expected:.1%}" in sentence
    assert ("found anew" in sentence) == (choice is FIND_NEW)


def test_groups_found_anew_hide_that_all_wait_longer() -> None:
    anew = choose_groups(slowed(4.0), ALL, use_case(), "r2", FIND_NEW, live()).yardstick
    assert anew.own.whole.share == pytest.approx(first().yardstick.own.whole.share, abs=0.03)


def test_a_kept_rule_puts_the_same_tenants_into_the_same_groups() -> None:
    again = choose_groups(generated_table(1_500, portfolios=("a", "b", "c")), ALL, use_case(), "r2", KEEP, live())
    assert again.rows.label.tolist() == first().rows.label.tolist()
    assert again.grouping.version == "r1"
    assert again.grouping.scale == "global"
    assert again.grouping.held is not None
    assert again.grouping.held.how == "kept"
    assert again.yardstick.change is not None
    assert again.yardstick.change.direction == "unclear"
    assert next(again.yardstick.sentences(TENANT_WORDS)).startswith(
        "The share of bad has not clearly changed since release r1"
    )


def test_a_portfolio_that_alone_got_worse_is_named() -> None:
    yardstick = choose_groups(slowed(3.0, "b"), ALL, use_case(), "r2", KEEP, live()).yardstick
    assert {name: change.direction for name, change in yardstick.portfolio_changes.items()} == {
        "a": "unclear",
        "b": "more",
        "c": "unclear",
    }
    _, portfolios = yardstick.sentences(TENANT_WORDS)
    assert portfolios.startswith(
        "Of 3 portfolios, 1 have surely more tenants that are bad, and 0 surely fewer: b from "
    )


def test_the_history_grows_release_by_release() -> None:
    rules, releases = live(), []
    for number, factor in enumerate((1.2, 1.5, 2.0), start=2):
        grouped = choose_groups(slowed(factor), ALL, use_case(), f"r{number}", KEEP, rules)
        rules = EarlierRules(grouped.grouping, grouped.yardstick)
        releases.append([row.release for row in grouped.yardstick.history])
        assert grouped.yardstick.before is not None
        assert grouped.yardstick.before.release == f"r{number - 1}"
    assert releases == [["r1"], ["r1", "r2"], ["r1", "r2", "r3"]]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"method": "ward"}, "its method is kmeans, and use_case.yaml asks for ward"),
        ({"markers": ["escalation_count", "mean_first_response_hr"]}, "use_case.yaml names other markers ("),
    ],
)
def test_a_rule_that_the_use_case_has_left_behind_is_not_kept(change: dict[str, object], told: str) -> None:
    settings = settings_with(limits={"stability_median": 0.0, "stability_minimum": 0.0})
    settings["clustering"] |= change
    changed = UseCase.model_validate(settings)
    grouped = choose_groups(slowed(1.0), ALL, changed, "r2", KEEP, live())
    assert grouped.grouping.version == "r2"
    assert grouped.yardstick.frozen is None
    assert "could not be kept, so new ones were found" in grouped.grouping.warnings[0]
    assert told in grouped.grouping.warnings[0]
    with pytest.raises(UserError, match=r"the groups of r1, which cannot be used: "):
        choose_groups(slowed(1.0), ALL, changed, "r2", FROM_R1, EarlierRules(chosen=first().grouping))


def test_when_the_live_rule_cannot_be_read_new_groups_are_found_and_it_is_said() -> None:
    unreadable = EarlierRules(unreadable="the archive of the live model has no groups to be read")
    grouped = choose_groups(slowed(1.0), ALL, use_case(), "r2", KEEP, unreadable)
    assert grouped.grouping.version == "r2"
    assert grouped.grouping.warnings[0] == (
        "The groups of the live release could not be kept, so new ones were found: the archive of the live model has "
        "no groups to be read."
    )


def test_a_small_landlord_inherits_groups() -> None:
    table = generated_table(300, seed=5)
    with pytest.raises(AlgorithmError, match="at least 500 are needed to find groups"):
        choose_groups(table, ALL, use_case(), "r9", FIND_NEW, EarlierRules())
    grouped = choose_groups(table, ALL, use_case(), "r9", FROM_R1, EarlierRules(chosen=first().grouping))
    assert grouped.grouping.scale == "inherited"
    assert grouped.grouping.version == "r1"
    assert grouped.rows.bad.mean() == pytest.approx(
        bad_by_hand(first().grouping, table.take(table.history != "insufficient")), abs=1e-9
    )


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 20))])
def test_tenants_without_structure_do_not_inherit(seed: int) -> None:
    table = generated_table(500, seed=seed)
    shuffled = replace(table, values=np.random.default_rng(seed).permuted(table.values, axis=0))
    with pytest.raises(AlgorithmError, match="do not fit these tenants") as refusal:
        choose_groups(shuffled, ALL, use_case(), "r9", FROM_R1, EarlierRules(chosen=first().grouping))
    assert refusal.value.code == "rule_does_not_fit"


def test_tenants_who_are_the_other_way_round_do_not_inherit() -> None:
    table = generated_table(500)
    values = table.values.copy()
    column = table.features.index("answer_rate")
    values[:, column] = 1 - values[:, column]
    with pytest.raises(AlgorithmError, match="bad is not worse than good on answer_rate"):
        choose_groups(
            replace(table, values=values), ALL, use_case(), "r9", FROM_R1, EarlierRules(chosen=first().grouping)
        )


def test_when_hardly_anybody_is_left_in_a_group_the_advice_is_new_groups() -> None:
    with pytest.raises(AlgorithmError, match=r'"groups": "new" in manifest\.json') as refusal:
        choose_groups(slowed(1_000_000.0), ALL, use_case(), "r2", KEEP, live())
    assert refusal.value.code == "group_too_small"


def test_a_rule_may_come_from_a_file(tmp_path: Path) -> None:
    first().grouping.write(tmp_path)
    assert read_rule_file(tmp_path, "grouping.json") == first().grouping
    with pytest.raises(UserError, match=r"its .json files are: grouping.json"):
        read_rule_file(tmp_path, "other.json")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(UserError, match=r"bad\.json in the folder of the use case is not a grouping\.json"):
        read_rule_file(tmp_path, "bad.json")


def test_the_yardstick_survives_its_file(tmp_path: Path) -> None:
    yardstick = choose_groups(slowed(2.0), ALL, use_case(), "r2", KEEP, live()).yardstick
    yardstick.write(tmp_path)
    assert Yardstick.read(tmp_path) == yardstick
    (tmp_path / "yardstick.json").write_text('{"label": 3}')
    assert Yardstick.read(tmp_path) is None


def test_the_interval_of_a_difference_is_newcombes() -> None:
    """Newcombe (1998), table II, method 10: 56/70 and 48/80, difference 0.2, interval 0.0524 to 0.3339."""
    change = ShareChange.between(GroupShare(tenants=80, bad=48), GroupShare(tenants=70, bad=56))
    assert change.difference == pytest.approx(0.2)
    assert (change.low, change.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)

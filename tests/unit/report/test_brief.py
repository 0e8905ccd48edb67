"""What an approver is warned of, and how heavily: what stood in the report, and nowhere that an approver looks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tenant_experience.evaluation.champion import ChampionComparison, ComparedMetric
from tenant_experience.groups.yardstick import GroupShare, Yardstick, YardstickRow
from tenant_experience.release.brief import Brief
from tenant_experience.release.partition_brief import PLAIN, SERIOUS
from tenant_experience.report.brief import Population, champion_sentence, partition_brief
from tests.support.generated_tenants import generated_table
from tests.support.judged_partition import judged_groups
from tests.support.words import TENANT_WORDS


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return judged_groups(tmp_path_factory.mktemp("model")).evaluation


def row(release: str, bad: int) -> YardstickRow:
    return YardstickRow(release=release, as_of="2026-01-01", rule="r0", whole=GroupShare(tenants=1_000, bad=bad))


def test_the_release_that_showed_0_999_is_told_by_what_speaks_against_it(evaluation: Any) -> None:
    test = evaluation.counts["test"].tenants
    answered = round(test * 0.771)
    told = replace(
        evaluation,
        warned={"groups": ["The groups are a cut through a continuum."], "unplaced": ["Many are left out."]},
        published=replace(evaluation.published, by_rule=answered, by_model=0),
        yardstick=Yardstick(label="bad", own=row("r1", 489), frozen=row("r1", 489), history=(row("r0", 306),)),
    )
    brief = partition_brief(told, 0, Population(0, 1_490, 1_000), ["An offer."])
    warnings = Brief((brief,), words=TENANT_WORDS).all_warnings
    assert [(each.about, each.weight) for each in warnings] == [
        *(("population", SERIOUS), ("groups", SERIOUS), ("change", SERIOUS)),
        ("groups", PLAIN),
    ]
    assert warnings[0].text.startswith(
        "This release replaces the whole population: none of the 1,000 tenants of the live release is in it, and all "
        "1,490 tenants are new."
    )
    assert "30.6% (27.8% to 33.5%) then, 48.9% (45.8% to 52.0%) now" in warnings[2].text
    assert (brief.share.before, brief.share.now) == (0.306, 0.489) if brief.share else False
    assert brief.notes[1:] == ("An offer.",)
    assert Brief((brief,)).verdict == "Nothing is live to compare with. Before you approve: 3 things speak against it"


@pytest.mark.parametrize(
    ("population", "told"),
    [
        (Population(600, 100, 400), ""),
        (Population(400, 100, 600), "Of 1,000 tenants of the live release 600 (60.0%) are gone, and 100 are new."),
        (Population(0, 100, 0), ""),
    ],
)
def test_who_is_gone_is_told_from_half_of_them_on(evaluation: Any, population: Population, told: str) -> None:
    found = partition_brief(replace(evaluation, warned={}), 0, population, []).warnings
    assert [each.text.partition(" Look")[0] for each in found] == ([told] if told else [])


def test_a_small_change_of_the_share_is_no_serious_one_and_an_unclear_one_is_none(evaluation: Any) -> None:
    for bad, weights in ((370, [PLAIN]), (310, []), (410, [SERIOUS])):
        yardstick = Yardstick(label="bad", own=row("r1", bad), frozen=row("r1", bad), history=(row("r0", 306),))
        brief = partition_brief(replace(evaluation, warned={}, yardstick=yardstick), 0, None, [])
        assert [each.weight for each in brief.warnings] == weights


def test_records_are_counted_by_their_ids() -> None:
    table = generated_table(10)
    assert Population.of(table, table) == Population(10, 0, 0)
    assert Population.of(table.take([0, 1, 2, 2]), table.take([2, 3])) == Population(1, 2, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("low", "high", "verdict", "words"),
    [
        (-0.02, -0.01, "better", "lies between -0.0200 and -0.0100, so it is not chance."),
        (0.0, 0.0, "equal", "less is better. They do not differ at all."),
        (-0.02, 0.01, "equal", "lies between -0.0200 and +0.0100, so it may be chance."),
        (0.001, 0.002, "equal", "lies between +0.0010 and +0.0020, which is too small to matter."),
    ],
)
def test_the_champion_is_told_with_its_interval_in_words(low: float, high: float, verdict: Any, words: str) -> None:
    metric = ComparedMetric(0.2, 0.2 + (low + high) / 2, (low + high) / 2, low, high)
    told = champion_sentence(ChampionComparison("r0", "log_loss", 812, {"log_loss": metric}, verdict, []), TENANT_WORDS)
    assert told.endswith(words)
    assert "on the same 812 tenants its log loss is" in told


def test_a_champion_that_cannot_be_compared_is_told_with_the_reason() -> None:
    comparison = ChampionComparison("r0", "log_loss", 0, {}, "not_comparable", ["It answers another question."])
    assert champion_sentence(comparison, TENANT_WORDS) == (
        "The new model cannot be compared with the live one. It answers another question."
    )
    assert champion_sentence(None, TENANT_WORDS).startswith("No model is live for these tenants")

"""The published answers beside what became of tenants: which outcomes are compared, with whom, and what is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tenant_experience.errors import UserError
from tenant_experience.evaluation.outcome_validation import OutsideTruth, validate
from tenant_experience.features.table import FeatureTable
from tenant_experience.features.tenant_outcomes import TenantOutcomes
from tenant_experience.models.digests import digest_of, packed_digest
from tenant_experience.models.served_model import ServedModel
from tenant_experience.models.validation import OutcomeValidation, Validation
from tenant_experience.statistics.ranks import probability_worse
from tests.support.judged_partition import Judged
from tests.support.known_satisfaction import LEVELS, held, validated, with_outcomes, with_portfolio
from tests.support.outcome_validations import surveys

AS_OF = np.datetime64("2026-11-01T00:00:00")
BEFORE, AFTER = AS_OF - np.timedelta64(30, "D"), AS_OF + np.timedelta64(5, "D")
LONG_AGO = AS_OF - np.timedelta64(800, "D")


def outcomes(rows: Sequence[tuple[str, np.datetime64, str, float | None]]) -> TenantOutcomes:
    ids, moments, kinds, values = zip(*rows, strict=True)
    return TenantOutcomes(
        np.asarray(ids), np.asarray(moments, "datetime64[us]"), np.asarray(kinds), np.asarray(values, np.float64)
    )


def scores(judged: Judged, at: np.datetime64, bad_share: float, tenants: int = 800) -> list:
    """Surveys: 1 where the tenant's number is small enough, else 5."""
    ids = judged.table.tenant_id[:tenants]
    return [(name, at, "survey", 1.0 if place < bad_share * tenants else 5.0) for place, name in enumerate(ids)]


def checked(
    judged: Judged, model: ServedModel, rows: Sequence, periods: Sequence[FeatureTable] = ()
) -> dict[str, OutcomeValidation]:
    truth = OutsideTruth(outcomes(rows), periods)
    found = validate(model, judged.table, judged.groups, with_outcomes(), truth)
    return {each.kind: each for each in found.outcomes}


def unseen(judged: Judged) -> set[str]:
    part = judged.groups.split
    return set(judged.groups.tenant_id[(part == "test") | (part == "")].tolist())


def test_the_figure_is_that_of_the_published_probability_of_tenants_that_did_not_train(
    judged: Judged, model: ServedModel
) -> None:
    rows = scores(judged, AFTER, 0.5)
    found = checked(judged, model, rows)["survey"]
    out = unseen(judged)
    table = judged.table.take(np.isin(judged.table.tenant_id, list(out)))
    told = {name: score for name, _, _, score in rows}
    bad = np.asarray([told[name] == 1 for name in table.tenant_id])
    answers = model.publish(model.scorer.encoding.matrix(table), table.side.get("exposure_days")).outputs
    assert found.auc == pytest.approx(probability_worse(answers, bad, 1))
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.auc < found.high
    assert (found.outcomes, found.tenants, found.bad, found.trained) == (len(out), len(out), int(bad.sum()), 0)
    assert (found.period, found.answers_as_of) == ("following", judged.table.as_of)
    assert "None of these tenants trained the model" in found.text


def test_those_who_trained_the_model_count_only_where_the_others_are_too_few(
    judged: Judged, model: ServedModel
) -> None:
    fitted = [name for name in judged.table.tenant_id.tolist() if name not in unseen(judged)][:60]
    rows = [(name, AFTER, "survey", 1.0 + 4 * (place % 2)) for place, name in enumerate(fitted)]
    found = checked(judged, model, rows)["survey"]
    assert (found.outcomes, found.trained) == (60, 60)
    assert "60 of the 60 tenants also trained the model" in found.text


def test_outcomes_before_the_answers_are_called_concurrent_and_older_ones_do_not_count(
    judged: Judged, model: ServedModel
) -> None:
    found = checked(judged, model, [*scores(judged, BEFORE, 0.5), *scores(judged, LONG_AGO, 0.1)])["survey"]
    assert found.period == "concurrent"
    assert "from the same period" in found.text
    assert checked(judged, model, scores(judged, LONG_AGO, 0.5)) == {}


def test_an_earlier_period_that_outcomes_follow_is_preferred(judged: Judged, model: ServedModel) -> None:
    past = replace(judged.table, as_of="2025-11-01T00:00:00Z")
    found = checked(judged, model, scores(judged, BEFORE, 0.5), [past])["survey"]
    assert (found.period, found.answers_as_of) == ("following", past.as_of)
    newer = replace(judged.table, as_of="2026-10-01T00:00:00Z")
    found = checked(judged, model, scores(judged, BEFORE, 0.5), [past, newer])["survey"]
    assert found.answers_as_of == newer.as_of
    # As many as are needed follow the older one, but not the newer one.
    rows = [*scores(judged, BEFORE, 0.5), *scores(judged, AFTER, 0.5, tenants=12)]
    assert checked(judged, model, rows, [past])["survey"].answers_as_of == past.as_of


def test_tenants_of_another_partition_and_with_too_little_history_are_not_answered(
    judged: Judged, model: ServedModel
) -> None:
    other = with_portfolio(judged.table, "south")
    truth = OutsideTruth(outcomes(scores(judged, AFTER, 0.5)))
    assert validate(model, other, judged.groups, with_outcomes(), truth).outcomes == []
    little = replace(judged.table, history=np.full(len(judged.table), "insufficient"))
    assert validate(model, little, judged.groups, with_outcomes(), truth).outcomes == []


def test_something_that_happens_is_compared_with_those_it_did_not_happen_to(judged: Judged, model: ServedModel) -> None:
    names = sorted(unseen(judged))
    found = checked(judged, model, [(name, AFTER, "complaint", None) for name in names[:40]])["complaint"]
    assert (found.outcomes, found.tenants, found.bad) == (40, len(names), 40)
    assert f"40 complaints among {len(names):,} tenants" in found.text


def test_a_good_ending_is_compared_with_the_other_one(judged: Judged, model: ServedModel) -> None:
    names = sorted(unseen(judged))
    rows = [(name, AFTER, "renewal", None) for name in names[:50]]
    rows += [(name, AFTER, "move_out", None) for name in names[45:70]]
    found = checked(judged, model, rows)["renewal"]
    # Five had both endings, so it is not known which counts.
    assert (found.outcomes, found.tenants, found.bad) == (65, 65, 20)


def test_a_tenant_counts_once_by_the_mean_of_its_scores(judged: Judged, model: ServedModel) -> None:
    names = sorted(unseen(judged))[:60]
    rows = [(name, AFTER, "survey", 1.0 if place < 20 else 5.0) for place, name in enumerate(names)]
    rows += [(name, AFTER + np.timedelta64(1, "D"), "survey", 2.0) for name in names[:30]]
    found = checked(judged, model, rows)["survey"]
    # Of 20, the mean is 1.5; of 10, it is 3.5, which is not bad.
    assert (found.outcomes, found.bad) == (60, 20)


@pytest.mark.parametrize(("count", "bad"), [(29, 14), (60, 4), (60, 0), (60, 60)])
def test_with_too_few_outcomes_or_one_ending_no_figure_is_given(
    judged: Judged, model: ServedModel, count: int, bad: int
) -> None:
    names = judged.table.tenant_id[:count]
    rows = [(name, AFTER, "survey", 1.0 if place < bad else 5.0) for place, name in enumerate(names)]
    found = checked(judged, model, rows)["survey"]
    assert (found.auc, found.low, found.high, found.direction) == (None, None, None, None)
    assert (found.outcomes, found.bad) == (count, bad)
    assert "too few" in found.text
    whole = Validation(outcomes=[found])
    assert not whole.is_validated
    assert whole.text.startswith("Not validated against any outcome. ")


def test_an_email_has_the_figures_of_three_kinds_and_ends_with_a_whole_sentence() -> None:
    kinds = [surveys(), surveys(0.52, 0.45, 0.6, "complaints"), surveys(0.3, 0.2, 0.4, "renewals")]
    assert Validation(outcomes=kinds).headline == (
        "Validated on 312 surveys: AUC 0.71 (0.66 to 0.76); on 312 complaints: AUC 0.52 (0.45 to 0.60), so perhaps "
        "nothing; on 312 renewals: AUC 0.30 (0.20 to 0.40), the wrong way."
    )
    assert Validation(outcomes=[*kinds, surveys()]).headline.endswith("the wrong way; 1 more in the report.")
    assert Validation().headline == "Not validated against any outcome."


def test_the_text_and_the_numbers_say_the_same() -> None:
    of = surveys(auc=0.712, low=0.661, high=0.757)
    document = Validation(outcomes=[of]).document()
    assert str(document["text"]).startswith("Validated on 312 surveys: AUC 0.71 (0.66 to 0.76).")
    assert document["validated"] is True
    assert of.direction == "agrees"
    wrong = of.model_copy(update={"auc": 0.3, "low": 0.2, "high": 0.4})
    assert (wrong.direction, "point the wrong way" in wrong.text) == ("contradicts", True)
    open_ = of.model_copy(update={"auc": 0.52, "low": 0.45, "high": 0.6})
    assert (open_.direction, "contains 0.5" in open_.text) == ("unclear", True)
    assert Validation().document() == {
        "text": "not validated against any outcome",
        "validated": False,
        "outcomes": [],
    }


def test_more_than_enough_outcomes_are_sampled(
    judged: Judged, model: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenant_experience.evaluation.outcome_validation.MOST_OF_EACH", 15)
    found = checked(judged, model, scores(judged, AFTER, 0.5))["survey"]
    assert (found.outcomes, found.bad) == (30, 15)


def test_what_is_said_is_packed_with_the_model_under_its_digest(judged: Judged, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for file in judged.evaluation.folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    assert ServedModel.load(folder).validation == Validation()
    before = packed_digest(folder)
    said = Validation(outcomes=[])
    said.write(folder)
    with pytest.raises(UserError, match=r"validation\.json"):
        ServedModel.load(folder)
    judged.evaluation.manifest.write(folder)
    assert ServedModel.load(folder).validation == said
    content = (folder / "model.json").read_bytes()
    assert packed_digest(folder) == digest_of(content) != before


@pytest.mark.slow
def test_the_truth_lies_in_the_interval(tmp_path: Path) -> None:
    """With known satisfaction, in at least 18 of 20 seeds: for a score and for something that happens."""
    found = [each for seed in range(20) for each in validated(seed, tmp_path / str(seed), following=True)]
    for kind in LEVELS:
        of_kind = [each for each in found if each.said.kind == kind]
        assert len(of_kind) == 20
        assert all(each.said.trained == 0 and each.said.period == "following" for each in of_kind)
        assert held(of_kind) >= 18

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tenant_experience.evaluation.champion import ChampionComparison, ComparedMetric
from tenant_experience.evaluation.evaluation import FeatureImportance
from tenant_experience.evaluation.gates import ModelGate
from tenant_experience.features.ingestion_result import IngestionResult
from tenant_experience.groups.column_labels import label_partition
from tenant_experience.jobs.partition_runs import Partition, PartitionOutcome
from tenant_experience.models.served_model import ServedModel
from tenant_experience.models.validation import Validation
from tenant_experience.pages.html_page import figure
from tenant_experience.report import report
from tenant_experience.report.action_files import report_actions
from tenant_experience.use_case.schema import UseCase
from tests.support.backtests import made_up_next_period
from tests.support.generated_tenants import generated_table, use_case
from tests.support.html_pages import POLICY, Tags, tags_of, words_of
from tests.support.judged_partition import NAME, Judged, judged_groups
from tests.support.outcome_validations import surveys
from tests.support.words import TENANT_WORDS

REFUSED = PartitionOutcome("<b>small</b>", "small", "refused", "algorithm", "too_few_tenants", "12 tenants & no more")


INGESTION = IngestionResult(
    records=12_345,
    written=1_234,
    unchanged=10_000,
    newer=1_000,
    failed={f"<i>T{number}</i>": "ValidationError" for number in range(111)},
)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return judged_groups(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def page(judged: Judged) -> Tags:
    return tags_of(judged.report(rows=[REFUSED], ingestion=INGESTION))


@pytest.fixture(scope="module")
def text(page: Tags) -> str:
    return " ".join(page.text.split())


@pytest.fixture(scope="module")
def plain(judged: Judged) -> str:
    """The report and nothing beside it."""
    return judged.report()


@pytest.fixture(scope="module")
def later(judged: Judged) -> str:
    """Beside a live model, of data without open items; the model never uses one of the features."""
    compared = ComparedMetric(champion=0.1, challenger=0.2, difference=0.1, low=0.05, high=0.15)
    champion = ChampionComparison("r0", "log_loss", 80, {"log_loss": compared}, "worse", ["A note."], 0.1, 0.05)
    importance = [*judged.evaluation.importance, FeatureImportance("shoe_size", 0.0, 0.0, 0.0)]
    quality = {
        "quarantined_share": 0.01,
        "may_train": 700,
        "tenants_by_history": {},
        "warnings": ["1 file was not read: _a_b.csv"],
    }
    intake = {"rows": 1_234, "source": "<i>", "quarantined": 12, "tenants": 800, "data_quality": quality}
    evaluation = replace(judged.evaluation, champion=champion, importance=importance)
    changed = replace(judged, evaluation=evaluation, table=replace(judged.table, side={}))
    return changed.report(intake=intake, pictures={evaluation.manifest.slug: judged.pictures})


def test_the_page_fetches_nothing(page: Tags) -> None:
    addresses = [
        value or "" for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")
    ]
    pictures = [address for address in addresses if not address.startswith("#")]
    assert pictures
    assert all(address.startswith("data:image/svg+xml;base64,") for address in pictures)
    assert not {"link", "script", "iframe"} & {tag for tag, _ in page.tags}


def test_the_page_itself_forbids_what_no_header_of_s3_can(page: Tags) -> None:
    meta = [attributes for tag, attributes in page.tags if tag == "meta"]
    assert POLICY in meta
    assert {"name": "referrer", "content": "no-referrer"} in meta


def test_its_contents_lead_somewhere(page: Tags) -> None:
    places = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert places == {"model-north", "actions", "data"}
    assert {attributes["href"] for tag, attributes in page.tags if tag == "a"} == {f"#{place}" for place in places}


def test_every_picture_says_in_words_what_it_shows(page: Tags) -> None:
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 6 + 2 + 4  # a violin per marker, the difference, the map; the model's
    assert all(len(picture["alt"] or "") > 40 for picture in pictures)


def test_what_comes_from_the_data_is_escaped(page: Tags) -> None:
    assert NAME in page.text
    assert "<b>small</b>" in page.text
    assert "12 tenants & no more" in page.text


def test_it_says_what_a_high_score_does_not_mean(text: str) -> None:
    assert "the model copies our definition faithfully" in text
    assert "P(bad) is about the next period: the chance that the tenant's label by the same rule" in text
    assert "It is computed from one period alone" in text
    assert "It does not mean that the definition is right" in text
    assert "cannot be compared with those of other portfolios" in text


def test_it_says_what_the_figures_are_of(judged: Judged, text: str) -> None:
    published = judged.evaluation.published
    assert published.by_rule + published.by_model == judged.evaluation.counts["test"].tenants
    assert "All figures are of the answers as the API gives them." in text
    for sentence in published.figures(TENANT_WORDS).values():
        assert sentence in text
    document = judged.evaluation.document()["published"]
    assert document["probability_basis"] == "one_snapshot"
    assert document["figures"]["calibration"].startswith("The model probability is compared with")


def test_a_sample_is_said_where_its_figures_are(judged: Judged, text: str) -> None:
    words = "50 tenants of the test part, spread evenly over all answers"
    sampled = replace(judged.evaluation, sampled_tenants=50)
    page = " ".join(tags_of(replace(judged, evaluation=sampled).report()).text.split())
    assert f"Each bar is the mean over {words}, with its 95% interval." in page
    assert f"The curve and its 95% intervals are measured on {words}." in page
    assert "Each bar is the mean over the test part, with its 95% interval." in text
    assert "are measured on" not in text
    assert (judged.evaluation.document()["sampled_tenants"], sampled.document()["sampled_tenants"]) == (81, 50)


def test_a_page_of_many_models_shows_the_first_and_says_where_the_others_are(
    judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "MODEL_LIMIT", 2)
    page = tags_of(judged.report(ready=[judged.evaluation], refused=[judged.evaluation] * 4))
    headings = [attributes for tag, attributes in page.tags if tag == "article"]
    assert len(headings) == 2
    assert "3 more models are in evaluation.json beside this page" in " ".join(page.text.split())
    assert page.text.count("(refused)") == 1


def test_the_page_says_what_the_answers_are_worth_by_outcomes(judged: Judged, text: str) -> None:
    assert "What became of tenants: the answers are not validated against any outcome." in text
    found = surveys()
    evaluation = replace(judged.evaluation, validation=Validation(outcomes=[found]))
    told = replace(judged, evaluation=evaluation).report()
    assert "Validated on 312 surveys: AUC 0.71 (0.66 to 0.76)." in told
    document = evaluation.document()["validation"]
    assert (document["outcomes"][0]["auc"], document["outcomes"][0]["direction"]) == (0.71, "agrees")


def test_one_period_is_said(text: str, judged: Judged) -> None:
    assert "could not be tested whether the published probability comes true" in text
    assert "Reliability over the next period" not in text
    assert judged.evaluation.document()["next_period"]["backtest"] is None


def test_how_the_published_probability_came_true_is_shown(judged: Judged, tmp_path: Path) -> None:
    tested = judged.with_next_period(made_up_next_period(), tmp_path)
    page = tags_of(tested.report())
    text = " ".join(page.text.split())
    assert "Of the 500 tenants told less than 5%, 4.0% (2.6% to 6.1%) were bad in the next period." in text
    assert "It was measured on past periods how often that came true." in text
    described = next(tag["alt"] for _, tag in page.tags if (tag.get("alt") or "").startswith("Reliability over"))
    assert described
    assert "of 500 tenants told 2.0% on average, 4.0% were bad" in " ".join(described.split())
    document = tested.evaluation.document()
    assert document["next_period"]["sentences"][0] in text
    [gate] = [gate for gate in document["gates"] if gate["name"] == "calibration_error"]
    assert gate["value"] == document["next_period"]["backtest"]["published"]["calibration_error"]


def test_features_that_nobody_has_are_said(text: str) -> None:
    assert "Features that are not used because no tenant has a value: positive rate" in text


def test_features_the_model_never_saw_are_said(judged: Judged, text: str) -> None:
    record = judged.evaluation.manifest.training
    assert "or one value only, in the training part: positive rate." in text
    assert f"The SHA-256 of the data begins with {record.data_sha256[:12]}." in text


def test_settings_that_do_not_count_are_not_told(judged: Judged, text: str) -> None:
    assert judged.evaluation.manifest.hyperparameters.keys() >= {"objective", "aft_loss_distribution"}
    assert "Its settings are colsample_bytree" in text
    assert "objective" not in text
    assert "aft_" not in text


def test_features_the_model_never_uses_are_said_and_not_drawn(later: str) -> None:
    assert "The model never uses shoe size." in words_of(later)
    assert "shoe size 0.00" not in later


def test_every_metric_stands_with_its_interval(judged: Judged, text: str) -> None:
    for name, value in judged.evaluation.metrics.items():
        low, high = judged.evaluation.intervals[name]
        assert f"{figure(value)}{figure(low)} to {figure(high)}" in text, name


def test_service_and_demand_stand_apart(text: str) -> None:
    service, demand = text.index("How tenants were served"), text.index("High demand is not the fault of the service")
    assert service < text.index("mean first response (hours)more is worse") < demand
    assert demand < text.index("total maintenance ticketsmore is worse")


def test_who_waits_longest_stands_first_with_the_next_step(text: str) -> None:
    assert "20 tenants wait" in text
    assert text.index("1. T000039") < text.index("2. T000037") < text.index("5. T000031")
    assert "6. T0000" not in text
    assert "Tell the tenant today when the oldest item will be resolved" in text
    assert "P(bad)" in text[text.index("1. T000039") :]


def test_without_open_items_the_page_says_why_there_is_no_list(later: str) -> None:
    assert "The data does not say which items are still open" in words_of(later)


def test_a_live_model_is_held_against_the_new_one(later: str) -> None:
    text = words_of(later)
    assert "The new model is worse than the live one (live: r0)." in text
    assert (
        "(live: r0). Both were measured by what they say of the group now of the same 80 tenants, and not by what they "
        "publish about the next period. A note."
    ) in text
    assert "Log lossthis measure decides; lower is better0.10000.2000 +0.10000.0500 to 0.1500" in text


def test_without_a_live_model_the_page_says_so(text: str) -> None:
    assert "there is nothing to compare with" in text


def test_a_model_that_broke_a_gate_is_shown_with_its_figures(judged: Judged) -> None:
    gate = ModelGate("roc_auc", 1.0, 0.9, passed=False, message="the ROC AUC is 0.9000 and must be at least 1")
    broken = replace(judged.evaluation, gates=[gate])
    text = words_of(judged.report(ready=[], refused=[broken], rows=[REFUSED]))
    assert "(refused)" in text
    assert "BROKEN: the ROC AUC is 0.9000 and must be at least 1" in text


@pytest.mark.parametrize("classes", [("low", "middle", "high"), None])
def test_other_labels_have_a_page_without_groups(tmp_path: Path, classes: tuple[str, ...] | None) -> None:
    document = use_case().model_dump(by_alias=True, exclude={"costs"})
    labels = {"from": "column", "column": "rent", "classes": classes}
    changed = UseCase.model_validate(document | {"labels": labels, "clustering": None})
    table = generated_table(900)
    number = table.column("mean_first_response_hr")
    label = number if classes is None else np.digitize(number, np.quantile(number, [1 / 3, 2 / 3])).astype(float)
    table = replace(table, label=label, partition_slug=np.full(900, "all"))
    shared = Partition("all", "all")
    other = Judged(None, table, label_partition(table, shared, changed), changed, shared).trained(tmp_path)
    html = other.report()
    text = words_of(html)
    assert "The groups" not in text
    assert "What the score means" in text
    assert ("R squared" if classes is None else "published: middle") in text
    pictures = [attributes for tag, attributes in tags_of(html).tags if tag == "img"]
    assert len(pictures) == 3  # calibration or bands, importance, missing features


def test_the_same_figures_give_the_same_page(judged: Judged, plain: str) -> None:
    assert replace(judged).report() == plain


def test_a_shard_without_a_ready_model_has_a_page_too(judged: Judged) -> None:
    assert "12 tenants &amp; no more" in judged.report(rows=[REFUSED], ready=[])


def test_what_came_in_is_said(later: str) -> None:
    text = words_of(later)
    assert "1,234 rows came insource <i>" in text
    assert "Note: 1 file was not read: _a_b.csv." in text


def test_records_that_were_not_taken_are_listed_up_to_a_limit(text: str) -> None:
    assert "The features of 1,234 of the 12,345 tenants are kept." in text
    assert "111 could not be written and will keep the features they have" in text
    assert len(re.findall(r"<i>T\d+</i>", text)) == 100
    assert "11 more are in failed_records.json." in text


def test_a_report_without_ingestion_says_nothing_of_it(plain: str) -> None:
    assert "Features that are served" not in plain


def test_the_list_to_act_on_repeats_what_the_api_answers(judged: Judged) -> None:
    """Also of tenants with a missing marker, whose label the model decides."""
    slug = judged.evaluation.manifest.slug
    actions = report_actions(judged.table, judged.use_case, [judged.evaluation], {slug: judged.groups}).actions
    model = ServedModel.load(judged.evaluation.folder)
    answers = dict(
        zip(judged.table.tenant_id.tolist(), model.answers(model.scorer.encoding.matrix(judged.table)), strict=True)
    )
    for action in actions:
        answer = answers[action.tenant_id]
        assert (action.group, action.probability_bad) == (answer["experience"], answer["probability"])
    assert {answers[action.tenant_id]["label_basis"] for action in actions} == {"rule", "model"}

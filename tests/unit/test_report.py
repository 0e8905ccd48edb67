from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tenant_experience.clustering import group_partition
from tenant_experience.evaluation import PartitionEvaluation, evaluate_partition
from tenant_experience.ingestion_result import IngestionResult
from tenant_experience.partition_runs import Partition
from tenant_experience.report import render_report
from tenant_experience.trainer import parse_settings
from tenant_experience.training import TrainingRun, trainer_named
from tests.model.generated_tenants import generated_table, use_case

NAME = "<script>alert('north')</script>"
PARTITION = Partition(NAME, "north")
REFUSED = {
    "partition": "<b>small</b>",
    "slug": "small",
    "status": "refused",
    "fault": "algorithm",
    "code": "too_few_tenants",
    "message": "12 tenants & no more",
}


INGESTION = IngestionResult(
    records=12_345,
    written=1_234,
    unchanged=10_000,
    newer=1_000,
    failed={f"<i>T{number}</i>": "ValidationError" for number in range(111)},
)


class Tags(HTMLParser):
    """Collects tags with their attributes, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> PartitionEvaluation:
    folder: Path = tmp_path_factory.mktemp("model")
    table = generated_table(800, portfolios=("north", NAME))
    values = table.values.copy()
    values[:, table.features.index("positive_rate")] = np.nan
    table = type(table)(**(table.__dict__ | {"values": values, "partition_slug": np.full(800, "north")}))
    grouping, rows = group_partition(table, PARTITION, use_case(), "r1")
    settings = parse_settings("xgboost", trainer_named("xgboost"), {"n_estimators": "20"})
    TrainingRun(use_case(), settings, "r1").train_partition(table, rows, PARTITION, folder)
    grouping.write(folder)
    return evaluate_partition(table, rows, folder, use_case())


@pytest.fixture(scope="module")
def page(evaluation: PartitionEvaluation) -> Tags:
    tags = Tags()
    tags.feed(render_report("r1", 0, [REFUSED], [evaluation], INGESTION))
    return tags


def test_the_page_fetches_nothing(page: Tags) -> None:
    addresses = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")]
    assert addresses
    assert all(address is not None and address.startswith("data:image/svg+xml;base64,") for address in addresses)
    assert not {"link", "script", "iframe"} & {tag for tag, _ in page.tags}


def test_every_picture_says_in_words_what_it_shows(page: Tags) -> None:
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 4
    assert all(len(picture["alt"] or "") > 40 for picture in pictures)


def test_what_comes_from_the_data_is_escaped(page: Tags) -> None:
    assert NAME in page.text
    assert "<b>small</b>" in page.text
    assert "12 tenants & no more" in page.text


def test_it_says_what_a_high_score_does_not_mean(page: Tags) -> None:
    text = re.sub(r"\s+", " ", page.text)
    assert "the model copies our definition faithfully" in text
    assert "It does not say that the definition is right" in text
    assert "may not be compared with those of other portfolios" in text


def test_features_that_nobody_has_are_said(page: Tags) -> None:
    assert "Features without any value, so not used: positive rate" in re.sub(r"\s+", " ", page.text)


def test_the_same_figures_give_the_same_page(evaluation: PartitionEvaluation) -> None:
    assert render_report("r1", 0, [], [evaluation], INGESTION) == render_report("r1", 0, [], [evaluation], INGESTION)


def test_a_shard_without_a_ready_model_has_a_page_too() -> None:
    assert "12 tenants &amp; no more" in render_report("r1", 0, [REFUSED], [], IngestionResult())


def test_records_that_were_not_taken_are_listed_up_to_a_limit(page: Tags) -> None:
    text = " ".join(page.text.split())
    assert "Of the 12,345 tenants of the release, 1,234 got new features and 10,000 had the same before." in text
    assert "1,000 keep features that are as of a later time" in text
    assert "111 could not be written and are served as before" in text
    assert len(re.findall(r"<i>T\d+</i>", page.text)) == 100
    assert "And 11 more" in text


def test_a_report_without_ingestion_says_nothing_of_it(evaluation: PartitionEvaluation) -> None:
    assert "Features that are served" not in render_report("r1", 0, [], [evaluation], IngestionResult())

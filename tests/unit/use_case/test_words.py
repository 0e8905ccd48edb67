from __future__ import annotations

import re
from pathlib import Path

import pytest

from tenant_experience.data_quality.page import render_data_quality
from tenant_experience.errors import UserError
from tenant_experience.release.approval import Approval, ApprovalSummary, summarise
from tenant_experience.release.approval_email import write
from tenant_experience.release.partition_result import PartitionResult, ShardResult
from tenant_experience.report._words import metric_meanings
from tenant_experience.use_case import served
from tenant_experience.use_case.schema import load_use_case
from tenant_experience.use_case.words import Words

ROOT = Path(__file__).parents[3]
TELECOM = ROOT / "use_cases" / "telecom_churn"
# Names of settings stay as they are.
OF_TENANTS = re.compile(r"(?<!minimum_)tenant|portfolio", re.IGNORECASE)


def churn_summary() -> ApprovalSummary:
    row = {"partition": "north", "slug": "north", "shard": 0, "tenants": 812, "metrics": {"roc_auc": 0.9}}
    shard = ShardResult(0, (PartitionResult.read(row, status="ready"),))
    words = load_use_case(TELECOM).words
    return summarise("r1", "telecom_churn", "2026-11-01T00:00:00Z", [shard], None, [], words=words)


def test_the_jobs_and_the_api_read_the_same_words() -> None:
    words = Words("customer", "customers", "dimension", "dimensions")
    assert load_use_case(TELECOM).words == words
    assert served.parse((TELECOM / "use_case.yaml").read_bytes()).words == words


@pytest.mark.parametrize(
    ("words", "refusal"),
    [("{row: client}", r"use_case.yaml: line 7.*row"), ("{record: ' '}", "line 7.*words"), ("{record: 3}", "line 7")],
)
def test_words_that_are_none_are_refused_with_their_line(tmp_path: Path, words: str, refusal: str) -> None:
    text = (TELECOM / "use_case.yaml").read_text()
    (tmp_path / "use_case.yaml").write_text(re.sub("(?m)^words: .*$", f"words: {words}", text))
    line = text[: text.index("\nwords:")].count("\n") + 2
    with pytest.raises(UserError, match=refusal.replace("line 7", f"line {line}")):
        load_use_case(tmp_path)


def test_an_article_fits_its_word() -> None:
    assert Words(record="account").a_record == "an account"
    assert Words(partition="unit").a_partition == "a unit"


def test_the_email_names_what_the_use_case_names() -> None:
    summary = ApprovalSummary.read(churn_summary().as_document())
    _, text = write(Approval("r1", "arn", 1_000, "pending", summary), "https://example/approvals/r1")
    assert "812 customers" in text
    assert not OF_TENANTS.search(text)


def test_a_page_of_early_refused_data_is_in_neutral_words() -> None:
    assert not OF_TENANTS.search(render_data_quality({"release": "r1", "refusal": None}))


@pytest.mark.parametrize(
    "template",
    [*(ROOT / "src/tenant_experience/pages/templates").glob("*.html.j2"), *(ROOT / "functions/approvals").glob("*.j2")],
    ids=lambda path: path.name,
)
def test_no_page_has_a_word_of_one_use_case(template: Path) -> None:
    """What is not between braces is shown as it stands; between them, texts stand in quotes."""
    text = template.read_text()
    shown = re.sub(r"\{[{%#].*?[}%#]\}", "", text, flags=re.DOTALL)
    code = " ".join(re.findall(r"\{[{%].*?[}%]\}", text, flags=re.DOTALL))
    quoted = re.findall(r"'([^']*)'|\"([^\"]*)\"", code)
    texts = [part for pair in quoted for part in pair if "_" not in part]
    assert not OF_TENANTS.search(shown)
    assert not [part for part in texts if OF_TENANTS.search(part)]


def test_a_text_is_filled_with_the_words() -> None:
    words = Words(record="office", records="offices", partition="town", partitions="towns")
    said = words.fill("{a_record} of {partition}; {records}, {partitions}, {record} and {a_partition}")
    assert said == "an office of town; offices, towns, office and a town"


def test_the_meaning_of_every_metric_is_in_the_words_of_the_use_case() -> None:
    meanings = metric_meanings(Words(record="client", records="clients"))
    assert [name for name, each in meanings.items() if "record" in each["meaning"] or "{" in each["meaning"]] == []

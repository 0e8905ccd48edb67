"""What the approver reads, in every state of a request. Undefined names in a template are errors."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from tenant_experience.aws.briefs import PageContent
from tenant_experience.errors import UserError
from tenant_experience.release.approval import Approval, ApprovalSummary, summarise
from tenant_experience.release.brief import Brief
from tenant_experience.release.partition_result import ShardResult
from tests.support.words import TENANT_WORDS

PAGE = Path(__file__).parents[3] / "functions" / "approvals" / "page.py"
ROWS = [
    {"partition": "all", "slug": "all", "status": "ready", "tenants": 812, "metrics": {"roc_auc": 0.987}},
    {"partition": "rents", "slug": "rents", "status": "ready", "bad_share": 0.25, "metrics": {"rmse": 1.5}},
    {"partition": "<north>", "slug": "north", "status": "refused", "code": "too_few_tenants"},
]
SUMMARY = summarise(
    "r1",
    "tenant_experience",
    "2026-12-05T22:02:00Z",
    [ShardResult.read({"partitions": ROWS}, 4)],
    None,
    ["the file _a_b.csv was not read"],
    "raw/u/2026-11/",
)
ADA, AT = "ada@example.com", "2026-12-05T22:02:00Z"
REQUEST = Approval("r1", "arn:execution:r1", 1000, "pending", SUMMARY)


@pytest.fixture(scope="module")
def page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("approval_page", PAGE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_figure_has_its_interval_and_chance_is_told_first(page: ModuleType) -> None:
    row = ROWS[0] | {"intervals": {"roc_auc": [0.431, 1.0]}, "notes": ["ROC AUC may be that of chance."]}
    shards = [ShardResult.read({"partitions": [row]}, 4)]
    summary = summarise("r1", "tenant_experience", "2026-12-05T22:02:00Z", shards, None, [])
    html = page.show(Approval("r1", "arn:execution:r1", 1000, "pending", summary), "s", now=1)
    assert "<li>ROC AUC 0.987 (0.431 to 1.000)</li>" in html
    assert "ROC AUC may be that of chance." in html


def test_an_open_request_shows_the_figures_the_refusals_and_the_form(page: ModuleType) -> None:
    html = page.show(REQUEST, page.link_query("0f", "sig+nature"), now=1, viewer=ADA)
    assert re.search(r'<td class="n" data-label="Records">812</td>', html)
    assert "25.0%" in html
    assert "5 December 2026, 22:02 UTC" in html
    assert [html.count(words) for words in ("ROC AUC", "RMSE", "Brier")] == [1, 1, 0]
    assert "&lt;north&gt;" in html
    assert "Too few tenants." in html
    assert "too_few_tenants" not in html
    assert "The file _a_b.csv was not read." in html
    assert html.index("The file _a_b.csv") < html.index("The models") < html.index("<dt>")
    assert "<dt>Batch</dt><dd>raw/u/2026-11/</dd>" in html
    assert "Approve: this release goes live" in html
    assert 'href="r1/report/4?to=0f&amp;signature=sig%2Bnature#model-all"' in html


def test_a_release_without_a_positive_class_has_no_share_of_it(page: ModuleType) -> None:
    rows = [row | {"bad_share": None, "tenants": 12345} for row in ROWS[:2]]
    summary = summarise("r1", "u", "2026-12-05T22:02:00Z", [ShardResult.read({"partitions": rows}, 4)], None, [])
    html = page.show(replace(REQUEST, summary=summary), "s", now=1)
    assert "Share" not in html
    assert "12,345" in html


def test_the_page_says_how_the_answers_agree_with_outcomes(page: ModuleType) -> None:
    text = "Validated on 312 surveys: AUC 0.71 (0.66 to 0.76)."
    shards = [ShardResult.read({"partitions": [ROWS[0] | {"validation": text}, ROWS[1]]}, 4)]
    summary = summarise("r1", "tenant_experience", "2026-12-05T22:02:00Z", shards, None, [], words=TENANT_WORDS)
    html = page.show(replace(REQUEST, summary=summary), "s", now=1)
    assert html.count(f"<li>{text}</li>") == 1


def test_a_form_that_was_wrong_comes_back_with_a_sentence_and_what_was_typed(page: ModuleType) -> None:
    typed = {"decision": ["reject"], "approver": ['Ada "L"'], "reason": ["x"]}
    html = page.show(
        REQUEST, "s", now=1, viewer=ADA, problem=UserError("enter a reason", code="missing_reason"), typed=typed
    )
    assert '<a href="#reason">Enter a reason.</a>' in html
    assert 'id="fault-reason"' in html
    assert 'value="Ada &#34;L&#34;"' in html
    assert re.findall(r'value="(approve|reject)"[^>]*checked', html) == ["reject"]


@pytest.mark.parametrize(
    ("request_", "now", "words", "has_form"),
    [
        (REQUEST, 1000, "The time to decide is over", False),
        (replace(REQUEST, status="approved", approver="Ada"), 1, "recorded, but not delivered yet", True),
        (replace(REQUEST, status="rejected", approver="Ada", delivered=True), 1, "Release r1 was rejected", False),
        (replace(REQUEST, status="superseded", superseded_by="r2", decided_at=AT), 1, "Release r2 has models", False),
        (replace(REQUEST, status="withdrawn", approver="op", reason="a typo", decided_at=AT), 1, "by op, 5", False),
    ],
)
def test_a_request_that_is_not_open_takes_no_decision(
    page: ModuleType, request_: Approval, now: int, words: str, has_form: bool
) -> None:
    html = page.show(request_, "s", now=now, viewer=ADA, token="t")  # noqa: S106 - of a form
    assert words in html
    assert 'name="decision"' not in html
    assert ("<form" in html) == has_form


def test_a_refusal_is_a_page_with_a_sentence(page: ModuleType) -> None:
    assert "<p>This link is &lt;not&gt; valid.</p>" in page.problem("this link is <not> valid")


def test_names_have_no_hidden_characters(page: ModuleType) -> None:
    rows = [ROWS[0] | {"partition": "no\u202erth\x1b"}]
    rows = [rows[0], ROWS[1]]
    shards = [ShardResult.read({"partitions": rows}, 4)]
    summary = summarise("r1", "tenant_experience", "2026-12-05T22:02:00Z", shards, None, [], words=TENANT_WORDS)
    assert re.search(r'<th scope="row">\s+north\s+</th>', page.show(replace(REQUEST, summary=summary), "s", now=1))


def test_the_pictures_of_a_model_are_on_the_page_with_their_text(page: ModuleType) -> None:
    slug = SUMMARY.ready[0].slug
    picture = {"title": "<b>Elm</b>", "picture": "data:image/svg+xml;base64,AAAA", "text": 'Share bad "now": 41.0%'}
    told = REQUEST.summary
    brief = Brief.of_results(told.ready, told.figures, told.warnings, told.words)
    content = PageContent(brief, pictures={slug: [picture], "another": [picture]})
    html = page.show(REQUEST, "s", now=1, content=content)
    assert html.count('<img src="data:image/svg+xml;base64,AAAA" alt="Share bad &#34;now&#34;: 41.0%">') == 1
    assert "<figcaption>&lt;b&gt;Elm&lt;/b&gt;</figcaption>" in html
    assert "img-src data:;" in page.answer(200, html).headers["Content-Security-Policy"]
    assert "<img" not in page.show(REQUEST, "s", now=1)


def test_a_warning_begins_with_a_capital_letter_but_not_a_name_of_a_file(page: ModuleType) -> None:
    warnings = ("manifest.json accepts that a gate is broken", "hours until the first response rose")
    html = page.show(replace(REQUEST, summary=replace(REQUEST.summary, warnings=warnings)), "s", now=1)
    assert re.search(r"</strong>\s+manifest.json accepts that a gate is broken.", html)
    assert re.search(r"</strong>\s+Hours until the first response rose.", html)


def test_the_longest_refusal_is_shown_to_its_end(page: ModuleType) -> None:
    names = ("champion_loss", "roc_auc", "r2", "missing_accuracy", "calibration_error")
    gates = [f"gate {name}: {'words and figures of a gate ' * 5}" for name in names]
    message = f"partition all: {'; '.join(gates)}. Surely more tenants are bad {'than then ' * 40}END"
    summary = summarise("r1", "u", "2026-11-01T00:00:00Z", [_refused(message)], None, ())
    stored = ApprovalSummary.read(summary.as_document())
    assert f"P{message[1:]}.</li>" in page.show(replace(REQUEST, summary=stored), "s", now=1)


def _refused(message: str) -> ShardResult:
    row = {"partition": "all", "slug": "all", "status": "refused", "code": "gate_roc_auc", "message": message}
    return ShardResult.read({"partitions": [row]}, 0)

"""The approval page of a release of many models: small enough, each with a tick, and each with what it keeps."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from tenant_experience.aws.briefs import PageContent
from tenant_experience.release.approval import Approval, summarise
from tenant_experience.release.brief import Brief
from tenant_experience.release.partition_brief import BriefWarning, Changes, Direction, PartitionBrief, Share
from tenant_experience.release.release import LiveRelease
from tests.support.words import TENANT_WORDS

PAGE = Path(__file__).parents[3] / "functions" / "approvals" / "page.py"
HOSTILE = "<b>\u202e\"'&" * 18
REQUEST = Approval(
    "r1",
    "arn:execution:r1",
    1_000,
    "pending",
    summarise("r1", "tenant_experience", "2026-12-05T22:02:00Z", [], None, [], words=TENANT_WORDS),
)
MODELS = tuple(
    PartitionBrief(
        partition=f"{place} {HOSTILE}",
        slug=f"p{place}",
        shard=place // 10,
        verdict="worse" if place == 7 else "equal",
        champion=HOSTILE * 5,
        records=100,
        share=Share("bad", 0.4, 0.3, HOSTILE),
        changes=Changes(90, 12, 10, 2, 5, 5, (Direction("good", "bad", 12, f"changes/p{place}/0-1.csv"),)),
        warnings=tuple(BriefWarning("groups", f"{name} {HOSTILE * 5}") for name in "abc") if place % 2 else (),
    )
    for place in range(400)
)


@pytest.fixture(scope="module")
def page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("approval_page_of_many", PAGE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REQUEST = replace(REQUEST, partitions={model.slug: model.partition for model in MODELS})


def content(**more: object) -> PageContent:
    live = LiveRelease.of_models("r0", "2026-11-01T00:00:00Z", 1, {f"p{place}": "r0" for place in range(200)})
    return PageContent(Brief(MODELS, words=TENANT_WORDS), live, **more)  # type: ignore[arg-type]


def test_four_hundred_models_with_hostile_names_are_a_page_that_lambda_can_answer_with(page: ModuleType) -> None:
    html = page.show(REQUEST, "signature=s", now=1, viewer="a@example.com", content=content())
    assert len(json.dumps(html)) < 3_000_000  # of 6 MB
    assert "<b>\u202e" not in html
    assert "\u202e" not in html
    ticks = re.findall(r'<input type="checkbox" name="partition" value="(p\d+)" form="vote"\s+checked>', html)
    assert sorted(ticks) == sorted(model.slug for model in MODELS)
    assert len(re.findall(r'data-label="Keeps when rejected">r0<', html)) == 200
    assert len(re.findall(r'data-label="Keeps when rejected">nothing answers yet<', html)) == 200
    assert html.count("who would change, and why</h2>") == page.MOST_SHOWN
    assert "worse than what is live (1)" in html
    assert "with a warning (200)" in html


def test_a_search_lists_first_what_was_found_and_forgets_no_model(page: ModuleType) -> None:
    html = page.show(REQUEST, "signature=s", now=1, viewer="a@example.com", content=content(search="398 <B>"))
    ticks = re.findall(r'name="partition" value="(p\d+)"', html)
    assert ticks[0] == "p398"
    assert len(set(ticks)) == 400
    assert 'value="398 &lt;B&gt;"' in html


def test_one_of_many_has_a_page_of_its_own_that_leads_back(page: ModuleType) -> None:
    chosen = replace(MODELS[7], partition="Mill Lofts")
    html = page.show(REQUEST, "signature=s", now=1, viewer="a@example.com", content=content(chosen=chosen))
    assert "<h1>Portfolio Mill Lofts: Worse than what is live</h1>" in html
    assert '<a href="r1?signature=s">Back to the whole release</a>' in html
    assert html.count("Who would change, and why") == 1
    assert 'type="checkbox"' not in html

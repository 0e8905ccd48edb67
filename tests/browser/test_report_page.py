"""The report in a real browser: nothing runs out of a phone's screen, whatever names there are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tenant_experience.data_quality.page import render_data_quality
from tenant_experience.evaluation.event_risk import EventRisk, Origin
from tests.support.browser import Seen, looked_at, seen_by_chromium
from tests.support.judged_partition import Judged, judged_groups

LONG = "a_portfolio_with_a_name_that_nobody_would_break_anywhere_by_any_rule"


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return judged_groups(tmp_path_factory.mktemp("model"))


def test_the_pages_own_policy_stops_scripts_and_nothing_that_it_needs(judged: Judged, tmp_path: Path) -> None:
    page = judged.report()
    script = "<script>document.title = 'stolen'</script><img src=x onerror=\"document.title = 'stolen'\" id=foreign>"
    says = (
        "[document => document.title == 'stolen', "
        "document => [...document.images].filter(each => each.id == '' && !each.naturalWidth).length, "
        "document => getComputedStyle(document.querySelector('section')).borderTopWidth]"
        ".map(each => each(this.contentDocument)).join()"
    )
    seen = seen_by_chromium(page.replace("<main>", f"<main>{script}"), 390, says, tmp_path)
    assert seen == "false,0,1px"
    unguarded = page.replace("Content-Security-Policy", "x").replace("<main>", f"<main>{script}")
    assert seen_by_chromium(unguarded, 390, says, tmp_path).startswith("true")


@pytest.fixture(scope="module")
def seen(judged: Judged, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], Seen]:
    names = np.where(judged.table.portfolio_id == "north", LONG, "south")
    places = np.arange(len(names))
    risk = EventRisk(
        *("escalation", "escalation", 30, "tenants"),
        origins=[Origin(f"2026-0{month}-01", 12_345, 1_234, 0.7, 0.8, 0.05, 0.15) for month in (7, 8, 9)],
        tenant_id=np.asarray([f"{LONG}-{place}" for place in places]),
        portfolio_id=names,
        rank=places // 2 + 1,
        probability=1 / (2 + places),
    )
    page = replace(judged, table=replace(judged.table, portfolio_id=names)).report(risk=risk)
    assert f"1. {LONG}-" in page[page.index('<section id="risk">') :]
    pages = {"report": page, "data": render_data_quality({"release": "r1", "refusal": None})}
    return looked_at(pages, (320, 390, 1280), tmp_path_factory.mktemp("browser"))


def test_no_page_is_wider_than_its_screen(seen: dict[tuple[str, int], Seen]) -> None:
    assert {place: found.width for place, found in seen.items() if found.width > place[1]} == {}


def test_axe_finds_no_serious_problem_on_a_stored_page(seen: dict[tuple[str, int], Seen]) -> None:
    assert {place: found.problems for place, found in seen.items() if found.problems} == {}
    assert not any(found.loaded for found in seen.values())

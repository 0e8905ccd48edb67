"""The report in a real browser: nothing runs out of a phone's screen, whatever names there are."""

from __future__ import annotations

import html
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.judged_partition import Judged, judged_groups
from tests.support.requirements import chromium

LONG = "a_portfolio_with_a_name_that_nobody_would_break_anywhere_by_any_rule"


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return judged_groups(tmp_path_factory.mktemp("model"))


def seen_by_chromium(page: str, width: int, script: str, folder: Path) -> str:
    """What a script says about the page (``this`` is its frame), as wide as a phone."""
    wrapper = folder / "wrapper.html"
    wrapper.write_text(
        f'<iframe style="width:{width}px;height:600px;border:0" srcdoc="{html.escape(page)}" onload="'
        f'document.body.append(`seen: ${{{html.escape(script)}}}.`)"></iframe>'
    )
    command = [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", f"--user-data-dir={folder}"]
    done = subprocess.run(  # noqa: S603
        [*command, wrapper.as_uri()], capture_output=True, text=True, timeout=300, check=True
    )
    found = re.search(r"seen: ([a-z0-9,]+)\.", done.stdout)
    assert found, done.stderr[-500:]
    return found[1]


@pytest.mark.parametrize("width", [320, 390])
def test_the_page_is_no_wider_than_a_phone(judged: Judged, tmp_path: Path, width: int) -> None:
    names = np.where(judged.table.portfolio_id == "north", LONG, "south")
    page = replace(judged, table=replace(judged.table, portfolio_id=names)).report()
    assert int(seen_by_chromium(page, width, "this.contentDocument.documentElement.scrollWidth", tmp_path)) <= width


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

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


@pytest.mark.parametrize("width", [320, 390])
def test_the_page_is_no_wider_than_a_phone(judged: Judged, tmp_path: Path, width: int) -> None:
    names = np.where(judged.table.portfolio_id == "north", LONG, "south")
    page = replace(judged, table=replace(judged.table, portfolio_id=names)).report()
    wrapper = tmp_path / "wrapper.html"
    wrapper.write_text(
        f'<iframe style="width:{width}px;height:600px;border:0" srcdoc="{html.escape(page)}" onload="'
        'document.body.append(`wide: ${this.contentDocument.documentElement.scrollWidth}`)"></iframe>'
    )
    command = [
        chromium(),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--dump-dom",
        f"--user-data-dir={tmp_path}",
    ]
    done = subprocess.run(  # noqa: S603
        [*command, wrapper.as_uri()], capture_output=True, text=True, timeout=300, check=True
    )
    found = re.search(r"wide: (\d+)", done.stdout)
    assert found, done.stderr[-500:]
    assert int(found[1]) <= width

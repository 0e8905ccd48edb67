"""The approval page in a real browser: nothing runs out of a phone's screen, whatever names there are."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tenant_experience.release.approval import Approval, ApprovalSummary
from tenant_experience.release.partition_result import PartitionResult
from tests.support.browser import seen_by_chromium

PAGE = Path(__file__).parents[2] / "functions" / "approvals" / "page.py"
LONG = "a_name_that_nobody_would_break_anywhere_by_any_rule_because_it_has_no_spaces"


@pytest.mark.parametrize("width", [320, 390])
def test_the_page_is_no_wider_than_a_phone(tmp_path: Path, width: int) -> None:
    spec = importlib.util.spec_from_file_location("approval_page_in_browser", PAGE)
    assert spec is not None
    assert spec.loader is not None
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    ready = PartitionResult(
        LONG, LONG, 0, "ready", metrics={"roc_auc": 0.9}, tenants=1_000, notes=(f"Look at {LONG}.",)
    )
    summary = ApprovalSummary(
        release="20261129-a958abf",
        use_case="tenant_experience",
        as_of="2026-11-29T03:00:00Z",
        live_release=None,
        warnings=(f"{LONG} was not read",),
        ready_count=1,
        refused_count=1,
        ready=(ready,),
        refused=(PartitionResult(LONG, LONG, 0, "refused", message=f"{LONG} is too small"),),
        batch=f"raw/tenant_experience/{LONG}-20261129T031749-dafe/",
    )
    shown = page.show(Approval("r1", "arn:execution:r1", 1_000, "pending", summary), "signature", now=1)
    assert int(seen_by_chromium(shown, width, "this.contentDocument.documentElement.scrollWidth", tmp_path)) <= width

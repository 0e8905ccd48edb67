"""Every page that is served, in a real browser: readable on a phone and to everybody, whatever names there are."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from tenant_experience.aws.briefs import Change, ChangeRows, PageContent
from tenant_experience.errors import UserError
from tenant_experience.pages import html_page
from tenant_experience.release import run_page
from tenant_experience.release.approval import Approval, ApprovalSummary
from tenant_experience.release.brief import Brief
from tenant_experience.release.confirmation import Draft
from tenant_experience.release.partition_brief import SERIOUS, BriefWarning, Changes, Direction, PartitionBrief, Share
from tenant_experience.release.partition_result import PartitionResult
from tenant_experience.release.release import LiveRelease
from tenant_experience.release.run_history import Run, Stage
from tenant_experience.release.take_back import Change as Return
from tenant_experience.release.take_back import TakeBack
from tenant_experience.release.vote import Vote
from tenant_experience.use_case.approval_rules import ApprovalRules
from tests.support.browser import Seen, looked_at
from tests.support.words import TENANT_WORDS

PAGE = Path(__file__).parents[2] / "functions" / "approvals" / "page.py"
ADA = "ada@example.com"
WHEN = "2026-11-29T04:00:00Z"
LONG = "a_name_that_nobody_would_break_anywhere_by_any_rule_because_it_has_no_spaces"
MARKUP = "<b>Elm</b> & \"Co\" <script>document.title = 'stolen'</script>"
PIXEL = "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHdpZHRoPSI0IiBoZWlnaHQ9IjMiLz4="
WORSE = Direction("good", "bad", 120, "changes/p0/0-1.csv")
ROWS = tuple(Change(f"{LONG}-{place}", LONG, "the new rule", f"{LONG}: 3, before 2") for place in range(10))
LISTED = ChangeRows(WORSE, ROWS, 4_096)
MODEL = PartitionBrief(
    partition=LONG,
    slug="p0",
    shard=0,
    verdict="worse",
    champion=f"The new model is worse than the live one ({LONG}).",
    records=1_000,
    figures=("ROC AUC 0.999 (0.998 to 1.000)",),
    share=Share("bad", 0.489, 0.306, "Surely more are bad."),
    changes=Changes(900, 120, 100, 30, 100, 50, (WORSE,)),
    warnings=(BriefWarning("population", f"{LONG} was replaced.", SERIOUS), BriefWarning("groups", "A continuum.")),
    notes=(f"Look at {LONG}.",),
)
MANY = tuple(
    replace(MODEL, partition=name, slug=f"p{place}", verdict="equal", warnings=())
    for place, name in enumerate([MARKUP, LONG, "ünter den Linden", *(f"block {number}" for number in range(25))])
)


def request(**changes: object) -> Approval:
    summary = ApprovalSummary(
        release="20261129-a958abf",
        use_case="tenant_experience",
        as_of="2026-11-29T03:00:00Z",
        live_release=None,
        warnings=(f"{LONG} was not read",),
        ready_count=1,
        refused_count=1,
        ready=(PartitionResult(LONG, LONG, 0, "ready", metrics={"roc_auc": 0.9}, tenants=1_000),),
        refused=(PartitionResult(LONG, LONG, 0, "refused", message=f"{LONG} is too small"),),
        batch=f"raw/tenant_experience/{LONG}-20261129T031749-dafe/",
        words=TENANT_WORDS,
    )
    return replace(Approval("r1", "arn:execution:r1", 1_000, "pending", summary), **changes)  # type: ignore[arg-type]


def content(*models: PartitionBrief, **more: object) -> PageContent:
    brief = Brief(models, (BriefWarning("data", f"{LONG} was not read"),), ("It costs $84.",), TENANT_WORDS)
    picture = {"kind": "groups", "title": "The groups", "picture": PIXEL, "text": "A map of the groups."}
    return PageContent(
        brief=brief,
        live=LiveRelease.of_models("r0", "2026-11-01T00:00:00Z", 1, {"p0": "r0"}),
        pictures={"p0": [picture]},
        examples={"p0": [LISTED]},
        **more,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("approval_page_in_browser", PAGE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def voted(**more: object) -> Vote:
    """What somebody else has answered, or was about to."""
    given: dict[str, object] = {"address": "ben@example.com", "name": MARKUP, "reason": LONG, "decided_at": WHEN}
    return Vote(**{**given, "approved": ("p0",), "rejected": {"p1": LONG}, **more})  # type: ignore[arg-type]


def take_back_pages(page: ModuleType) -> dict[str, str]:
    """Of a release that is live."""
    asked = TakeBack(
        "tenant_experience", LONG, {"p0": Return("r1", "r0"), "p1": Return("r1", "")}, "r1", features="r0", reason=LONG
    )
    taking = replace(
        request(partitions={"p0": LONG, "p1": MARKUP}), summary=replace(request().summary, take_back=asked)
    )
    draft = Draft(voted(address=ADA, approved=("p0", "p1"), rejected={}), 2_000, mac="m")
    shown = {"now": 1, "viewer": ADA, "token": "t"}
    return {
        "take back": page.show(taking, "signature=s", starts=True, **shown),
        "take back, typed wrongly": page.show(
            taking, "signature=s", starts=True, problem=UserError("enter a reason", code="missing_reason"), **shown
        ),
        "take back, second step": page.show(taking, "signature=s", starts=True, draft=draft, **shown),
        "take back, begun": page.begun(taking, "signature=s", is_recorded=True),
        "take back, somebody was first": page.begun(taking, "signature=s", is_recorded=False),
        "take back, asked": page.show(taking, "signature=s", **shown),
        "taken back": page.show(
            replace(taking, status="approved", votes=(draft.vote,), delivered=True), "signature=s", **shown
        ),
    }


def run_pages() -> dict[str, str]:
    """Of a release, from its start to its end."""
    began = datetime(2026, 11, 29, 10, tzinfo=UTC)
    done = Stage("BuildFeatures", "Task", "done", began, began + timedelta(minutes=3))
    waiting = Stage("RequestApproval", "Task", "waiting", began, None)
    failed = Stage("TrainModels", "Map", "failed", began, began + timedelta(hours=3))
    given = {"use_case": "tenant_experience", "batch": LONG}

    def shown(status: str, *stages: Stage, error: str = "", cause: str = "") -> str:
        run = Run("r1", status, began, None if status == "RUNNING" else began, given, error, cause, stages)
        described = run_page.describe(run, None, [], began + timedelta(hours=4))
        return html_page.render("run.html.j2", run=described, release="r1", signature="s", refresh_seconds=30)

    return {
        "run, running": shown("RUNNING", done, replace(done, name="TrainModels", status="running", ended=None)),
        "run, waiting": shown("RUNNING", done, waiting),
        "run, live": shown("SUCCEEDED", done, replace(done, name="Released", kind="Succeed")),
        "run, failed": shown("FAILED", done, failed, error="AlgorithmError.too_few_rows", cause=LONG),
        "run, rejected": shown("FAILED", done, error="ReleaseRejected", cause=LONG),
        "run, forgotten": html_page.render("run_problem.html.j2", sentence=f"The run of {LONG} is forgotten."),
    }


@pytest.fixture(scope="module")
def pages(page: ModuleType) -> dict[str, str]:
    """The pages that are laid out otherwise on a phone, by what they are."""
    decided = request(approver="Ada", reason="Looked at it.", decided_at="2026-11-29T04:00:00Z", delivered=True)
    one = content(MODEL)
    return {
        "open": page.show(request(), "signature=s", now=1, viewer=ADA, content=one),
        "many": page.show(request(), "signature=s", now=1, viewer=ADA, content=content(*MANY)),
        "one of many": page.show(request(), "signature=s", now=1, viewer=ADA, content=content(*MANY, chosen=MANY[0])),
        "typed wrongly": page.show(
            request(),
            "signature=s",
            now=1,
            viewer=ADA,
            content=one,
            problem=UserError("enter a reason", code="missing_reason"),
        ),
        "expired": page.show(request(), "signature=s", now=2_000, viewer=ADA, content=one),
        "approved": page.show(replace(decided, status="approved"), "signature=s", now=1, viewer=ADA, content=one),
        "rejected": page.show(replace(decided, status="rejected"), "signature=s", now=1, viewer=ADA, content=one),
        "not delivered": page.show(
            replace(decided, status="approved", delivered=False), "signature=s", now=1, viewer=ADA, content=one
        ),
        "who changes": page.changes(request(), "signature=s", one.brief, MODEL, LISTED),
        "refused": page.problem(f"the link of {LONG} is not valid"),
    }


@pytest.fixture(scope="module")
def states(page: ModuleType) -> dict[str, str]:
    """What else these pages say, and all others."""
    one, decided = content(MODEL), request(approver="Ada", reason="Looked at it.", decided_at=WHEN, delivered=True)
    draft = Draft(voted(address=ADA), 2_000, mac="m")
    of_two = request(partitions={"p0": LONG, "p1": MARKUP}, rules=ApprovalRules(quorum=2))
    return {
        "second step": page.show(of_two, "signature=s", now=1, viewer=ADA, draft=draft, content=content(*MANY)),
        "wrong code": page.show(
            of_two,
            "signature=s",
            now=1,
            viewer=ADA,
            draft=draft,
            content=one,
            problem=UserError("this is not the code", code="wrong_code"),
        ),
        "typed": page.show(request(), "signature=s", now=1, viewer=ADA, draft=replace(draft, mac=""), content=one),
        "somebody has answered": page.show(
            replace(of_two, votes=(voted(),)), "signature=s", now=1, viewer=ADA, content=one
        ),
        "has answered": page.show(
            replace(of_two, votes=(voted(address=ADA),)), "signature=s", now=1, viewer=ADA, content=one
        ),
        "too late": page.show(
            replace(decided, status="approved"),
            "signature=s",
            now=1,
            viewer=ADA,
            content=one,
            refused=f"{LONG} was first",
        ),
        "superseded": page.show(
            replace(decided, status="superseded", superseded_by="r2"), "signature=s", now=1, viewer=ADA, content=one
        ),
        "withdrawn": page.show(replace(decided, status="withdrawn"), "signature=s", now=1, viewer=ADA, content=one),
        "earlier link": page.show(request(), "signature=s", now=1, content=one),
        "all who change": page.changes(request(), "signature=s", one.brief, None, None),
        **take_back_pages(page),
        **run_pages(),
    }


@pytest.fixture(scope="module")
def seen(
    pages: dict[str, str], states: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, int], Seen]:
    of_pages = looked_at(pages, (320, 390, 1280), tmp_path_factory.mktemp("pages"))
    return of_pages | looked_at(states, (390,), tmp_path_factory.mktemp("states"))


def test_no_page_is_wider_than_its_screen(seen: dict[tuple[str, int], Seen]) -> None:
    assert {place: found.width for place, found in seen.items() if found.width > place[1]} == {}


def test_axe_finds_no_serious_problem_on_any_page(seen: dict[tuple[str, int], Seen]) -> None:
    assert {place: found.problems for place, found in seen.items() if found.problems} == {}


def test_no_page_asks_for_anything(seen: dict[tuple[str, int], Seen]) -> None:
    assert {place: found.loaded for place, found in seen.items() if found.loaded} == {}


def test_a_page_with_a_problem_would_be_seen(tmp_path: Path) -> None:
    page = '<html><body><img src="x.png"><p style="color:#eee;width:900px">pale</p></body></html>'
    [found] = looked_at({"bad": page}, (390,), tmp_path).values()
    assert found.width >= 900
    assert {problem.partition(":")[0] for problem in found.problems} >= {"image-alt", "color-contrast", "html-has-lang"}
    assert [name.rpartition("/")[2] for name in found.loaded] == ["x.png"]

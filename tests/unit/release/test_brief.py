"""The brief: one line for the release, warnings by their weight, and small whatever the names and however many."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tenant_experience.release import approval, approval_email
from tenant_experience.release.approval import Approval
from tenant_experience.release.brief import Brief, ShortBrief, merge
from tenant_experience.release.partition_brief import (
    MINOR,
    SERIOUS,
    BriefWarning,
    Changes,
    Direction,
    PartitionBrief,
    Share,
)
from tests.support.words import TENANT_WORDS

SHARE = Share("bad", 0.489, 0.306, "Surely more tenants are bad than in release r0: 30.6% then, 48.9% now.")
CHANGES = Changes(
    812,
    120,
    80,
    60,
    5,
    7,
    (Direction("good", "bad", 100, "changes/all/0-1.csv"), Direction("bad", "good", 20, "x.csv")),
)
MODEL = PartitionBrief(
    "north", "north", 3, "equal", "The new model is as good as the live one.", 812, ("ROC AUC 0.999",), SHARE, CHANGES
)
HOSTILE = '<script>"\u202e&amp;\x1b' * 40


def warned(*warnings: BriefWarning, **changes: object) -> PartitionBrief:
    return replace(MODEL, warnings=warnings, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("partitions", "line"),
    [
        ((), "No model of this release is ready"),
        ((MODEL,), "As good as what is live, and no warning stands"),
        ((warned(BriefWarning("groups", "A.")),), "As good as what is live; one warning is to be read"),
        (
            (warned(BriefWarning("groups", "A."), BriefWarning("population", "B.", SERIOUS)),),
            "As good as what is live. Before you approve: one thing speaks against it",
        ),
        (
            (MODEL, replace(MODEL, verdict="worse"), replace(MODEL, verdict="worse")),
            "Of 3 models 1 as good, 2 worse, and no warning stands",
        ),
        ((replace(MODEL, verdict="first"),), "Nothing is live to compare with, and no warning stands"),
        ((MODEL, MODEL), "As good as what is live: all 2 models, and no warning stands"),
    ],
)
def test_a_release_is_told_in_one_line(partitions: tuple[PartitionBrief, ...], line: str) -> None:
    assert Brief(partitions).verdict == line


def test_warnings_stand_by_weight_then_by_what_they_are_about() -> None:
    of_model = (
        BriefWarning("model", "small", MINOR),
        BriefWarning("champion", "worse", SERIOUS),
        BriefWarning("fairness", "unfair"),
        BriefWarning("groups", "continuum"),
        BriefWarning("groups", "unplaced", SERIOUS),
        BriefWarning("population", "replaced", SERIOUS),
    )
    brief = Brief((warned(*of_model),), (BriefWarning("data", "shifted"),))
    assert [each.text for each in brief.all_warnings] == [
        *("replaced", "unplaced", "worse"),
        *("shifted", "continuum", "unfair"),
        "small",
    ]
    assert {each.partition for each in brief.all_warnings} == {""}  # there is only one


def test_what_differs_in_figures_alone_is_told_once_with_the_names() -> None:
    partitions = tuple(
        warned(
            BriefWarning("groups", f"They explain 0.{place} of the variance."), partition=f"p{place}", slug=f"p{place}"
        )
        for place in range(1, 9)
    )
    [told] = Brief(partitions).all_warnings
    assert (told.partition, told.slug) == ("p1", "p1")
    assert told.text == (
        "They explain 0.1 of the variance. With other figures the same is true of p2, p3, p4, p5, p6 and 2 more."
    )


def test_three_things_change() -> None:
    assert Brief((MODEL,), words=TENANT_WORDS).three_changes == [
        SHARE.text,
        "The new model is as good as the live one.",
        "Of 812 tenants that both releases know, 120 change group: 100 from good to bad, 20 from bad to good. 5 are "
        "new and 7 are gone.",
    ]


def test_that_nobody_changes_is_said() -> None:
    brief = Brief((replace(MODEL, changes=Changes(812, 0, 0, 0, 5, 7)),), words=TENANT_WORDS)
    assert brief.three_changes[2] == (
        "Of 812 tenants that both releases know, nobody changes group. 5 are new and 7 are gone."
    )


def test_of_several_models_the_changes_are_counted_together() -> None:
    worse = replace(
        MODEL, partition="south", verdict="worse", champion="Its log loss is 0.2.", share=Share("bad", 0.1, 0.3, "x")
    )
    share, champion, moved = Brief((MODEL, worse), words=TENANT_WORDS).three_changes
    assert share == "By the rule that is live, the share bad is higher than before in 1 of 2 portfolios."
    assert champion == "Of 2 models 1 as good, 1 worse. south: Its log loss is 0.2."
    assert moved.startswith("Of 1,624 tenants that both releases know, 240 change group: 200 from good to bad, 40 from")


def test_a_brief_is_read_back_as_it_was_written() -> None:
    brief = Brief((warned(BriefWarning("groups", "A.")), MODEL), (BriefWarning("data", "B."),), ("$1.",), TENANT_WORDS)
    assert Brief.read(json.loads(json.dumps(brief.document()))) == brief
    short = brief.short()
    assert ShortBrief.read(json.loads(json.dumps(approval.asdict(short)))) == short
    assert ShortBrief.read(None) == ShortBrief()


def test_hundreds_of_hostile_partitions_leave_the_request_small_and_the_email_ours() -> None:
    models = [
        warned(
            *(BriefWarning("groups", f"{kind} {HOSTILE}", SERIOUS) for kind in "abcdefgh"),
            partition=f"{place}{HOSTILE}\nhttps://evil.example/",
            slug=f"p{place}",
            champion=HOSTILE * 9,
            notes=(HOSTILE * 9,),
        )
        for place in range(400)
    ]
    document = {"partitions": [json.loads(json.dumps(approval.asdict(model))) for model in models]}
    brief = merge([document], [HOSTILE] * 50, ["The endpoint costs $84."], TENANT_WORDS)
    short = brief.short()
    summary = approval.summarise("r1", "u", "2026-11-01T00:00:00Z", [], None, (), brief=short)
    assert len(json.dumps(summary.as_document())) < 60_000
    assert short.warned == len(brief.all_warnings)
    _, text = approval_email.write(Approval("r1", "arn", 1, "pending", summary), "https://a/1")
    assert [word for word in text.split() if "://" in word] == ["https://a/1"]
    assert len(text.encode()) < 100_000  # SNS takes 256 KB
    assert max(map(len, text.splitlines())) <= 202
    assert "\u202e" not in text
    assert "\x1b" not in text


def test_the_email_tells_the_brief_before_anything_else() -> None:
    brief = Brief(
        (warned(BriefWarning("population", "Nobody is known.", SERIOUS)),), (), ("It costs $84 (ml.m5.large).",)
    )
    summary = approval.summarise("r1", "u", "2026-11-01T00:00:00Z", [], "r0", (), brief=brief.short())
    _, text = approval_email.write(Approval("r1", "arn", 1, "pending", summary), "https://a/1")
    order = (
        "one thing speaks against it.\n",
        "! Who is in it: Nobody is known.\n",
        "live now          r0\n",
        "  - Surely more tenants are bad",
        "  - It costs $84 (ml.m5.large).",
        "\nhttps://a/1\n",
    )
    places = [text.index(each) for each in order]
    assert places == sorted(places)

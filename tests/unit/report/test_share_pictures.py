"""The share of bad over time, as the report and the approval page show it."""

from __future__ import annotations

import base64

import pytest

from tenant_experience.groups.yardstick import GroupShare, Yardstick, YardstickRow
from tenant_experience.report.share_pictures import share_pictures
from tests.support.words import TENANT_WORDS

PORTFOLIOS = ("calm", "<b>worst</b>", "better", "worse", "small change")


def row(release: str, month: int, rule: str, bad: int, **portfolios: int) -> YardstickRow:
    shares = {name: GroupShare(tenants=200, bad=portfolios.get(name, 80)) for name in PORTFOLIOS}
    whole = GroupShare(tenants=1_000, bad=bad)
    return YardstickRow(
        release=release, as_of=f"2026-{month:02d}-01T00:00:00Z", rule=rule, whole=whole, portfolios=shares
    )


def yardstick(*, anew: bool) -> Yardstick:
    frozen = row("r3", 3, "r1", 600, **{"<b>worst</b>": 190, "worse": 120, "better": 30, "small change": 82})
    own = row("r3", 3, "r3", 410) if anew else frozen
    return Yardstick(label="bad", own=own, frozen=frozen, history=(row("r1", 1, "r1", 400), row("r2", 2, "r1", 420)))


def test_before_the_second_release_there_is_nothing_to_show() -> None:
    assert share_pictures(None, TENANT_WORDS) == []
    assert share_pictures(Yardstick(label="bad", own=row("r1", 1, "r1", 400)), TENANT_WORDS) == []


def test_all_tenants_come_first_and_then_the_portfolios_that_surely_changed_most() -> None:
    assert [each.title for each in share_pictures(yardstick(anew=False), TENANT_WORDS)] == [
        *("All tenants", "<b>worst</b>", "better", "worse"),
    ]


@pytest.mark.parametrize("anew", [True, False])
def test_the_text_has_every_share_with_its_interval_and_both_rules(anew: bool) -> None:
    [whole, *_] = share_pictures(yardstick(anew=anew), TENANT_WORDS)
    diamond = "; 2026-03-01 by the groups found anew: 41.0% (38.0% to 44.1%)" if anew else ""
    assert whole.text == (
        "Share bad of all tenants, by release: 2026-01-01: 40.0% (37.0% to 43.1%); 2026-02-01: 42.0% (39.0% to 45.1%); "
        f"2026-03-01: 60.0% (56.9% to 63.0%){diamond}."
    )


def test_new_groups_have_a_mark_of_their_own() -> None:
    drawn = [
        base64.b64decode(share_pictures(yardstick(anew=anew), TENANT_WORDS)[0].picture.partition(",")[2])
        for anew in (True, False)
    ]
    assert [b"#d55e00" in svg for svg in drawn] == [True, False]

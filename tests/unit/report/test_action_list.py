"""Whom to attend to first: by the oldest open item, with the missed target, the reason and the next step in words."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tenant_experience.erasure.file import Eraser
from tenant_experience.erasure.id import ErasedId
from tenant_experience.erasure.mapping import RawMapping
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.file import GroupRows
from tenant_experience.pages.html_page import duration
from tenant_experience.report.action_files import ActionReport, report_actions
from tenant_experience.use_case.source import Source
from tests.support.generated_tenants import generated_table, use_case

NAN = float("nan")


def waiting_table(rows: Sequence[tuple[str, str, float, float, float, float]]) -> FeatureTable:
    """Tenants by id, portfolio, open_count, oldest_open_hr, mean_first_response_hr, mean_full_resolution_hr."""
    ids, portfolios, count, oldest, response, resolution = zip(*sorted(rows), strict=True)
    table = generated_table(len(rows))
    values = np.full((len(rows), len(table.features)), NAN)
    values[:, table.features.index("mean_first_response_hr")] = response
    values[:, table.features.index("mean_full_resolution_hr")] = resolution
    side = {"open_count": np.asarray(count, dtype=float), "oldest_open_hr": np.asarray(oldest, dtype=float)}
    return replace(table, tenant_id=np.asarray(ids), portfolio_id=np.asarray(portfolios), values=values, side=side)


def report(table: FeatureTable, groups: dict[str, GroupRows] | None = None, capacity: int = 10) -> ActionReport:
    return report_actions(table, use_case().model_copy(update={"capacity": capacity}), [], groups or {})


def test_who_waits_longest_comes_first_in_each_portfolio() -> None:
    table = waiting_table(
        [
            ("T1", "north", 1, 20.0, 5.0, 10.0),
            ("T2", "north", 3, 240.0, NAN, NAN),
            ("T3", "south", 1, 30.0, 5.0, 10.0),
            ("T4", "south", 1, 30.0, 40.0, 10.0),
            ("T5", "south", 0, NAN, 90.0, 90.0),
        ]
    )
    told = [(row.portfolio_id, row.tenant_id, row.rank) for row in report(table).actions]
    assert told == [("north", "T2", 1), ("north", "T1", 2), ("south", "T4", 1), ("south", "T3", 2)]


def test_each_row_says_what_was_missed_by_how_much_and_what_to_do() -> None:
    table = waiting_table(
        [
            ("T1", "all", 2, 240.0, 30.0, 100.0),
            ("T2", "all", 1, 48.0, 30.0, 10.0),
            ("T3", "all", 1, 6.0, NAN, NAN),
            ("T4", "all", 1, 721.0, NAN, NAN),
        ]
    )
    forgotten, late, slow, new = report(table).actions
    assert forgotten.next_step.startswith("Check whether the oldest item is really open")
    assert (late.breached_target, late.over_by_hr) == ("oldest_open", 168.0)
    assert late.reason == (
        "2 items are open, the oldest for 10 days, 7 days past the target. A first response has taken 30 hours on "
        "average; the target is 24 hours. A resolution has taken 4.2 days on average; the target is 3 days."
    )
    assert late.next_step == "Tell the tenant today when the oldest item will be resolved, and by whom."
    assert (slow.breached_target, slow.over_by_hr) == ("mean_first_response", 6.0)
    assert slow.next_step == "Make sure that the oldest item has been answered, and resolve it within 24 hours."
    assert (new.breached_target, new.over_by_hr) == (None, None)
    assert new.reason == "One item is open, for 6 hours."
    assert new.next_step == "Answer the oldest item within 18 hours, and resolve it within 2.8 days."


def test_a_list_holds_what_can_be_attended_to_and_the_roll_up_counts_everybody() -> None:
    table = waiting_table(
        [(f"T{n:03}", "north", 1, 10.0 * n, 1.0, 1.0) for n in range(1, 21)] + [("U", "south", 0, NAN, 1.0, 1.0)]
    )
    found = report(table, capacity=3)
    assert [row.tenant_id for row in found.actions] == ["T020", "T019", "T018"]
    north, south = found.portfolios
    assert (north.waiting, north.overdue, north.oldest_open_hr) == (20, 13, 200.0)
    assert (south.waiting, south.overdue, south.oldest_open_hr) == (0, 0, None)


def test_a_tenants_label_is_its_own_models_where_there_is_one() -> None:
    table = waiting_table(
        [("T1", "north", 1, 9.0, 1.0, 1.0), ("T2", "north", 1, 8.0, 1.0, 1.0), ("T3", "x", 1, 7.0, 1.0, 1.0)]
    )
    ids = np.asarray(["T1", "T2"])

    def rows(*labels: float) -> GroupRows:
        return GroupRows(ids, np.asarray(["train"] * 2), np.zeros(2), np.asarray(labels), ("good", "bad"))

    groups = {"north": rows(1, 0), "all": rows(0, 0)}
    assert [row.group for row in report(table, groups).actions] == ["bad", "good", None]


def test_without_open_items_a_sentence_stands_in_the_place_of_the_list(tmp_path: Path) -> None:
    table = waiting_table([("T1", "all", 0, NAN, 40.0, 40.0)])
    assert report(table).missing == "No tenant has an open item, so there is nothing to attend to today."
    unknown = replace(table, side={})
    assert "does not say which items are still open" in (report(unknown).missing or "")
    untargeted = report_actions(table, use_case().model_copy(update={"targets": None}), [], {})
    assert "sets no targets" in (untargeted.missing or "")
    untargeted.write(tmp_path, "tenant_id")
    assert len((tmp_path / "actions.csv").read_text().splitlines()) == 1
    assert json.loads((tmp_path / "actions.json").read_text())["missing"] == untargeted.missing


def test_nothing_of_the_file_is_a_formula_to_a_spreadsheet(tmp_path: Path) -> None:
    table = waiting_table([("=HYPERLINK(A1)", "+north", 1, 9.0, 1.0, 1.0)])
    report(table).write(tmp_path, "tenant_id")
    [row] = csv.DictReader((tmp_path / "actions.csv").open())
    assert (row["tenant_id"], row["portfolio_id"]) == (" =HYPERLINK(A1)", " +north")


@pytest.mark.parametrize("name", ["actions.csv", "actions.json"])
@pytest.mark.parametrize("erased", ["T000014", "12", "=12"])
def test_a_tenant_is_erased_from_both_files(tmp_path: Path, name: str, erased: str) -> None:
    table = waiting_table([(each, "all", 1, 9.0, 1.0, 1.0) for each in (erased, "T000015")])
    report(table).write(tmp_path, "tenant_id")
    source = Source.model_validate({"kind": "table", "columns": {"tenant_id": "tenant_id"}})
    me = ErasedId((erased,))
    with RawMapping.open(source, "tenant_id", me) as mapping:
        found = Eraser(me, "tenant_id", mapping, is_raw=False).erase(tmp_path / name, name, tmp_path / "left")
    left = (tmp_path / "left").read_text()
    assert (found.removed, found.left) == (1, "rewritten")
    assert "T000015" in left
    assert erased not in left or erased == "12"


@pytest.mark.parametrize(
    ("hours", "words"), [(0.25, "0.2 hours"), (1, "1 hour"), (47.6, "48 hours"), (48, "2 days"), (1000, "42 days")]
)
def test_durations_are_said_as_people_say_them(hours: float, words: str) -> None:
    assert duration(hours) == words

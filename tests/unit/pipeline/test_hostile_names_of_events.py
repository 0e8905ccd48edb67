"""Hostile names where labels are later events: each works to the end, or preview and the job refuse it alike."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from tenant_experience.errors import UserError
from tests.support.hostile_names import CLASSES, LONGEST, RESERVED_WORDS
from tests.support.parameters import mostly_slow
from tests.support.purchases import LABELS, SETTINGS, SQL, purchases
from tests.support.written_use_case import Written

OF_SQL_HERE = (
    *("record", "happened_at", "chosen", "later_events_0", "known_features_0", "whole_features_0", "examples"),
    *("every_row", "settled", "given", "k", "w", "n", "later", "counted_events", "partition_of", "placed", "rows"),
)
NAMES = (*RESERVED_WORDS, *OF_SQL_HERE, LONGEST)
# Keywords of split.by, and a column of every row of examples.
OF_US = {"split": ("file", "as_of", "example_id", "censored"), "label": ("file", "as_of", "example_id", "censored")}
NOT_HERE = {("split", "rows"), ("split", "record")}
WHERES = ("label", "feature", "record_id", "partition_column", "split", "time", "follows_event", "event_column", "from")
CASES = [(where, name) for where in WHERES for name in NAMES if (where, name) not in NOT_HERE]
CASES += [(where, name) for where in ("positive", "negative") for name in CLASSES]


def written(where: str, name: str, base: Path) -> Written:
    """A log of 60 clients, in which one name is this one."""
    quoted, sql = f'"{name}"', SQL
    settings: dict[str, Any] = copy.deepcopy(SETTINGS) | {"trainer": "linear"}
    settings["gates"]["concordance"] = None
    labels = settings["labels"] = {**LABELS, "cut_offs": 2, "window": "40d"}
    columns = {each: each for each in ("client", "branch", "sold_at", "quantity", "price")}
    declared = settings["events"]["columns"]
    if where == "label":
        labels["column"] = name
    elif where == "feature":
        settings["features"] = {"spent_1" if each == "spent" else each: {} for each in settings["features"]}
        settings["features"] = {name if each == "spent_1" else each: {} for each in settings["features"]}
        sql = sql.replace("AS spent", f"AS {quoted}")
    elif where == "record_id":
        settings["record_id"], columns[name] = name, columns.pop("client")
        sql = sql.replace("client", quoted)
    elif where == "partition_column":
        settings["partition_column"], columns[name] = name, columns.pop("branch")
        sql = sql.replace("max(branch) AS branch", f"max({quoted}) AS {quoted}")
    elif where == "split":
        settings["split"] = {"by": name}
        sql = sql.replace("max(branch)", f"'b' || (hash(client) % 12) AS {quoted}, max(branch)")
    elif where == "time":
        settings["events"]["time"], columns[name] = name, columns.pop("sold_at")
        sql = sql.replace("sold_at", quoted)
    elif where == "follows_event":
        declared[name], columns[name] = declared.pop("paid_at"), "sold_at"
    elif where == "event_column":
        declared[name], columns[name] = declared.pop("quantity"), columns.pop("quantity")
        labels["where"], sql = f"{quoted} > 0", sql.replace("quantity", quoted)
    elif where == "from":
        settings["record_id"] = {"from": [name, "shop"]}
        columns[name], columns["shop"] = columns.pop("client"), "branch"
        sql = sql.replace("client", "record_id")
    else:
        classes = ["silent", name] if where == "positive" else [name, "buys"]
        labels |= {"column": "soon", "classes": classes, "positive": classes[1]}
    return Written(base, settings, {"kind": "events", "columns": columns}, purchases(60, days=300).rows(), sql)


def check_that_it_works(where: str, name: str, base: Path) -> None:
    case = written(where, name, base)
    assert case.preview().refusals == []
    assert case.release() == ["all"]


FOUND = [("label", "happened_at"), ("split", "happened_at"), ("time", "order"), ("follows_event", "end")]


@pytest.mark.parametrize(("where", "name"), [*FOUND, *mostly_slow(CASES[::61], range(0, len(CASES), 3))])
def test_a_name_works_to_the_end(where: str, name: str, tmp_path: Path) -> None:
    check_that_it_works(where, name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("where", "name"), CASES)
def test_every_name_works_to_the_end(where: str, name: str, tmp_path: Path) -> None:
    check_that_it_works(where, name, tmp_path)


@pytest.mark.parametrize(("where", "name"), [(where, name) for where, names in OF_US.items() for name in names])
def test_a_name_of_our_own_is_refused_alike(where: str, name: str, tmp_path: Path) -> None:
    case = written(where, name, tmp_path)
    for run in (case.preview, case.build):
        with pytest.raises(UserError, match=rf"use_case\.yaml: .*write {name}_1") as refusal:
            run()
        assert refusal.value.code == "invalid_use_case"


@pytest.mark.parametrize("name", ["case", "order", "at", "group"])
def test_the_advice_for_a_file_column_that_is_a_word_of_sql_works(name: str, tmp_path: Path) -> None:
    case = written("label", "days", tmp_path / "wrong")
    case.rows[name] = case.rows.pop("client")
    columns = {**case.source["columns"], "client": name}
    wrong = Written(tmp_path / "again", case.settings, {"kind": "events", "columns": columns}, case.rows, case.sql)
    with pytest.raises(UserError, match=rf"export\.yaml: line \d+: .*{name} is a word of SQL.* write '\"{name}\"'"):
        wrong.preview()
    path = wrong.folder / "sources/export.yaml"
    path.write_text(path.read_text().replace(f"client: {name}", f"client: '\"{name}\"'"))
    assert wrong.preview().refusals == []

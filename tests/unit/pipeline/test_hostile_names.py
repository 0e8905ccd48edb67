"""Names that SQL, YAML, Feature Store or this application know: each works to the end, or is refused when read."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tenant_experience.data_layout import partition_slug
from tenant_experience.errors import UserError
from tests.support.hostile_names import CLASSES, LONGEST, RESERVED_WORDS
from tests.support.parameters import mostly_slow
from tests.support.written_use_case import SETTINGS, Written, table_of

OF_SQL_HERE = (
    "portfolio",
    "place",
    "slug",
    "v",
    "p",
    "n",
    "tenants",
    "staged",
    "ready_made",
    "features",
    "given",
    "placed",
)
OF_US = (
    *("release", "event_time", "partition", "partition_slug", "as_of", "history", "may_train", "exposure_days"),
    *("write_time", "is_deleted", "api_invocation_time", "file", "line", "broken_rule", "where", "newlines", "reason"),
)
PARTITIONS = ("a/b", "a.b", "..", ".", "Ü ber", "it's", "a b", "A-B", "x" * 128, "%s{0}", "$as_of", "it is")


def feature(name: str) -> dict[str, Any]:
    return {"features": {name: {}, "colour": {"kind": "category"}}}


def category(name: str) -> dict[str, Any]:
    return {"features": {"amount": {}, name: {"kind": "category"}}}


def label(name: str) -> dict[str, Any]:
    return {"labels": {**SETTINGS["labels"], "column": name}}


def classes(name: str) -> dict[str, Any]:
    return {"labels": {**SETTINGS["labels"], "classes": ["stays", name], "positive": name}}


def partitions(name: str) -> dict[str, Any]:
    models = {"scope": "per_partition", "minimum_tenants": 50}
    return {"partitions": [name, f"y{name}"[:128].lower()], "models": models}


KINDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "feature": feature,
    "category": category,
    "label": label,
    "record_id": lambda name: {"record_id": name},
    "partition_column": lambda name: {"partition_column": name},
}
WORKS = [
    *((kind, name) for kind in KINDS for name in (*RESERVED_WORDS, *OF_SQL_HERE, LONGEST)),
    *(("class", name) for name in CLASSES),
    *(("partition", name) for name in PARTITIONS),
]
REFUSED = [(kind, name) for kind in KINDS for name in OF_US]


def written(kind: str, name: str, base: Path) -> Written:
    changes = {**KINDS, "class": classes, "partition": partitions}[kind](name)
    return table_of(base, **copy.deepcopy(changes))


def check_that_it_works(kind: str, name: str, base: Path) -> None:
    case = written(kind, name, base)
    assert case.preview().refusals == []
    assert len(case.release()) == (3 if kind == "partition" else 1)


@pytest.mark.parametrize(("kind", "name"), mostly_slow(WORKS[::8], range(0, len(WORKS), 3)))
def test_a_name_that_reading_accepts_works_to_the_end(kind: str, name: str, tmp_path: Path) -> None:
    check_that_it_works(kind, name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), WORKS)
def test_every_name_that_reading_accepts_works_to_the_end(kind: str, name: str, tmp_path: Path) -> None:
    check_that_it_works(kind, name, tmp_path)


@pytest.mark.parametrize(("kind", "name"), REFUSED)
def test_a_name_of_our_own_is_refused_with_its_line(kind: str, name: str, tmp_path: Path) -> None:
    case = written(kind, name, tmp_path)
    told = rf"^UserError: invalid_use_case: use_case\.yaml: line \d+: key '.*': the name '{name}' .* write {name}_1"
    with pytest.raises(UserError, match=told):
        case.preview()
    with pytest.raises(UserError, match=told):
        case.build()


TEXT = """name: written
record_id: {record_id}
default_source: export
features:
  {feature}: {{}}
labels: {{from: column, column: outcome, classes: [{first}, {second}], positive: {second}}}
trainer: linear
gates: {{pooled_tenants: 50, roc_auc: null, calibration_error: null}}
"""
GOOD = {"record_id": "client", "feature": "amount", "first": "stays", "second": "leaves"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"first": "no", "second": "yes"}, r"line 6: .*classes\.0.*YAML reads no, off or false .* such as 'no'"),
        ({"first": "0", "second": "1"}, r"line 6: .*YAML reads a bare number or date as such: write it in quotes, '0'"),
        ({"first": "2026-01-01", "second": "b"}, "line 6: .*write it in quotes, '2026-01-01'"),
        ({"first": "'  a'", "second": "b"}, "line 6: .*without spaces around them and without .0: write 'a'"),
        ({"first": "'1.0'", "second": "b"}, "line 6: .*write '1'"),
        ({"first": "''", "second": "b"}, "line 6: .*1 to 128 characters"),
        ({"first": "'#REF!'", "second": "b"}, "line 6: .*1 to 128 characters"),
        ({"first": "x" * 129, "second": "b"}, "line 6: .*1 to 128 characters"),
        ({"first": "a", "second": "a"}, "names a class twice"),
        ({"feature": "on"}, "line 5: .*YAML reads yes, on or true"),
        ({"feature": "Amount"}, "line 5: "),
        ({"feature": "a.b"}, "line 5: "),
        ({"feature": "x" * 64}, "line 5: "),
        ({"feature": "client"}, "line 5: key 'features.client': the name 'client' is that of key 'record_id' too"),
        ({"feature": "raw_client"}, "line 5: .*'raw_client' and 'client' cannot stand together: write raw_client_1"),
        ({"feature": "portfolio_id"}, "line 5: .*that of key 'partition_column' too"),
        ({"record_id": "yes"}, "line 2: .*YAML reads yes"),
    ],
)
def test_what_yaml_or_a_rule_of_names_does_not_take_is_told_with_its_line(
    change: dict[str, str], told: str, tmp_path: Path
) -> None:
    case = table_of(tmp_path)
    (case.folder / "use_case.yaml").write_text(TEXT.format(**{**GOOD, **change}))
    with pytest.raises(UserError, match=told):
        case.preview()
    with pytest.raises(UserError, match=told):
        case.build()


def test_without_a_partition_column_there_is_one_partition(tmp_path: Path) -> None:
    settings = {key: value for key, value in SETTINGS.items() if key != "partition_column"}
    case = table_of(tmp_path)
    case.settings.pop("partition_column")
    base = tmp_path / "again"
    source = {"kind": "table", "columns": {k: v for k, v in case.source["columns"].items() if k != "branch"}}
    again = Written(base, settings, source, case.rows)
    assert again.preview().refusals == []
    assert again.release() == ["all"]


def test_a_partition_named_as_the_slug_of_another_is_refused(tmp_path: Path) -> None:
    models = {"scope": "per_partition", "minimum_tenants": 50}
    case = table_of(tmp_path, partitions=["A B", partition_slug("A B")], models=models)
    [(code, message)] = case.preview().refusals
    assert code == "invalid_features"
    assert "rename one of" in message
    with pytest.raises(UserError, match="rename one of"):
        case.build()


def test_the_preview_does_not_blame_history_for_missing_labels(tmp_path: Path) -> None:
    case = table_of(tmp_path)
    place = case.source["columns"]["outcome"]
    case.rows[place] = [""] * 230 + case.rows[place][230:]
    again = Written(tmp_path / "again", case.settings, case.source, case.rows)
    told = dict(again.preview().refusals)["too_few_tenants"]
    assert told.startswith("10 records have a value in the label column 'outcome'")
    assert "send an export with more labels. To have the live release answer for these records without" in told


def test_the_advice_for_a_dot_in_a_column_name_works(tmp_path: Path) -> None:
    case = table_of(tmp_path)
    case.rows["a.b"] = case.rows.pop("c2")
    columns = {**case.source["columns"], "amount": "a.b"}
    wrong = Written(tmp_path / "wrong", case.settings, {"kind": "table", "columns": columns}, case.rows)
    with pytest.raises(
        UserError, match=r"""export\.yaml: line \d+: .*column a\.b has a dot: write '"a\.b"',"""
    ) as told:
        wrong.preview()
    right = Written(tmp_path / "right", case.settings, {"kind": "table", "columns": columns}, case.rows)
    path = right.folder / "sources/export.yaml"
    advice = told.value.message.split("write ")[1].split(",")[0]
    path.write_text(path.read_text().replace("amount: a.b", f"amount: {advice}"))
    assert right.preview().refusals == []


def test_words_for_no_value_are_no_class_and_no_partition_of_a_file(tmp_path: Path) -> None:
    """A file's ``null`` is read as nothing, so the class has no record: the preview says so, as the job does."""
    case = written("class", "null", tmp_path / "class")
    [(code, message)] = case.preview().refusals
    assert code == "missing_class"
    assert "no record has the class 'null' in column 'outcome'" in message
    with pytest.raises(UserError, match="no record has the class 'null'"):
        case.build()
    assert written("partition", "null", tmp_path / "partition").release() == ["all", "ynull"]

"""What is wrong in use_case.yaml or a source is said in our words: the line, the key, what is wanted and was found."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tenant_experience.errors import UserError
from tenant_experience.settings_file import load_settings
from tenant_experience.use_case.schema import UseCase, load_use_case
from tenant_experience.use_case.source import Source

USE_CASE: dict[str, Any] = {
    "name": "small",
    "record_id": "client",
    "partition_column": "branch",
    "default_source": "log",
    "record_id_case": "sensitive",
    "events": {
        "time": "sold_at",
        "kind": "way",
        "columns": {
            "way": {"values": ["shop", "phone"]},
            "price": {"type": "number", "minimum": 0, "maximum": 9, "required_for": ["shop"]},
            "late": {"type": "boolean", "optional": True, "required": False, "follows_event": False},
        },
    },
    "outcomes": {"source": "outcomes", "kinds": {"survey": {"words": "s", "minimum": 1, "maximum": 5, "bad_up_to": 2}}},
    "features": {
        "sold": {"kind": "number", "more_is": "worse", "transform": "log1p", "noise": {"kind": "poisson", "of": []}},
        "late_share": {"minimum": 0, "maximum": 1, "words": "lateness", "optional": True, "aspect": "service"},
        "colour": {"kind": "category"},
    },
    "labels": {
        "from": "column",
        "column": "left",
        "classes": ["stays", "leaves"],
        "positive": "leaves",
        "outcome": "x",
    },
    "models": {"scope": "global", "fallback": True, "minimum_tenants": 100, "shard_size": 3},
    "history": {"window_days": 365, "minimum_days": 90, "provisional_below": 180},
    "trainer": "linear",
    "hyperparameters": {"seed": 1},
    "tuning": {"ranges": {"c": {"minimum": 1, "maximum": 2, "kind": "number", "scale": "log"}}},
    "feature_dropout": 0.5,
    "gates": {"quarantine_share": 0.1, "pooled_tenants": 10, "freshness_days": 3, "r2": 0.5, "roc_auc": None},
    "processing": {"engine": "duckdb", "instances": 1},
    "costs": {"miss": 2, "false_alarm": 1},
    "contacts": ["sold"],
    "capacity": 3,
}
SOURCE: dict[str, Any] = {
    "kind": "events",
    "columns": {"client": "a", "sold_at": "b"},
    "optional": ["a"],
    "time_zone": "UTC",
    "null_markers": ["-"],
    "time_formats": ["%d/%m/%Y"],
    "where": "true",
    "csv": {"delimiter": ",", "encoding": "utf-8"},
    "history": {"window_days": 30},
    "combine": {"price": "last"},
    "as_of": "2026-01-01T00:00:00Z",
}
WRONG: list[Any] = [
    None,
    True,
    -7,
    0.5,
    "?!",
    "",
    "2026-11-01",
    [],
    {},
    [1, "a"],
    {"Bad-Key!": 1},
    {"a": {}},
    float("inf"),
]
PYDANTIC = (
    *("Input should", "valid dictionary", "[key]", "Value error", "instance of", "String should", "(file)", "pydantic"),
    *("List should", "Dictionary should", "valid string", "is not valid", "None", "True", "False", "function-", "str'"),
)


def places(document: Any, *before: str) -> Iterator[tuple[str, ...]]:
    """Every key of a document, however deep."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield (*before, name)
            yield from places(value, *before, name)


def complaint(folder: Path, document: dict[str, Any], model: type[UseCase] | type[Source]) -> str | None:
    path = folder / "settings.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    try:
        load_settings(path, model, code="invalid_use_case")
    except UserError as error:
        return error.message
    return None


@pytest.mark.parametrize(
    "wrong_values", [WRONG[2::6], pytest.param(WRONG, marks=pytest.mark.slow)], ids=["some", "all"]
)
@pytest.mark.parametrize(("whole", "model"), [(USE_CASE, UseCase), (SOURCE, Source)])
def test_no_wrong_value_anywhere_is_answered_in_words_of_a_library(
    tmp_path: Path, whole: dict[str, Any], model: type[UseCase] | type[Source], wrong_values: list[Any]
) -> None:
    """Every key gets values of every type in turn; what stands there is shown as the file has it."""
    assert complaint(tmp_path, whole, model) is None
    said = 0
    for place in places(whole):
        for wrong in wrong_values:
            document = copy.deepcopy(whole)
            inner = document
            for name in place[:-1]:
                inner = inner[name]
            inner[place[-1]] = wrong
            message = complaint(tmp_path, document, model)
            if message is None:
                continue
            said += 1
            found = [each for each in PYDANTIC if each in message]
            assert not found, (place, wrong, message)
            assert "line 1:" not in message or place[0] in (next(iter(whole)),), (place, wrong, message)
    assert said > len(wrong_values) * len(list(places(whole))) / 3


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("features.sold", "many", "key 'features.sold': must be a mapping of keys to values (it is 'many')"),
        ("features.Sold-Out", {}, "key 'features.Sold-Out': its name must have 1 to 63 of the characters a-z"),
        ("name", None, "key 'name': must be a text (it is empty)"),
        ("models.fallback", "maybe", "key 'models.fallback': must be true or false (it is 'maybe')"),
        ("models.shard_size", 0, "key 'models.shard_size': must be at least 1 (it is 0)"),
        ("models.shard_size", 2.5, "key 'models.shard_size': must be a whole number (it is 2.5)"),
        ("contacts", "sold", "key 'contacts': must be a list, such as [a, b] (it is 'sold')"),
        ("labels.classes", ["one"], "key 'labels.classes': must have at least 2 entries (it is a list)"),
        ("trainer", "magic", "key 'trainer': trainer 'magic' is unknown; use one of"),
        (
            "hyperparameters.seed",
            [1],
            "key 'hyperparameters.seed': must be true or false or a whole number or a number or a text (it is a list)",
        ),
        ("gates.roc_auc", float("inf"), "key 'gates.roc_auc': must be at most 1 (it is inf)"),
        ("feature_dropout", 1, "key 'feature_dropout': must be below 1 (it is 1)"),
    ],
)
def test_a_wrong_value_is_answered_with_its_line_what_is_wanted_and_what_was_found(
    tmp_path: Path, key: str, value: Any, sentence: str
) -> None:
    document = copy.deepcopy(USE_CASE)
    *before, last = key.split(".")
    inner = document
    for name in before:
        inner = inner[name]
    inner[last] = value
    message = complaint(tmp_path, document, UseCase)
    assert message is not None
    assert sentence in message
    text = (tmp_path / "settings.yaml").read_text().splitlines()
    line = next(int(part.split(":")[0]) for part in message.split("line ")[1:])
    assert last in text[line - 1]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"models": {"minimum_tenants": 1, "scope": "pooled"}, "labels": {"from": "column", "column": "y"}}, "scope"),
        ({"models": {"minimum_tenants": 1, "scope": "global", "fallback": False}}, "fallback"),
        ({"labels": {"from": "column", "column": "left", "classes": ["a", "b"], "positive": "a"}}, "positive"),
        ({"labels": {"from": "column", "column": "sold", "classes": ["a", "b"], "positive": "b"}}, "column: sold"),
        ({"history": {"window_days": 10, "minimum_days": 20}}, "minimum_days"),
        ({"contacts": ["nothing"]}, "contacts"),
        ({"hyperparameters": {"seed": 1, "shard": 2}}, "hyperparameters"),
        ({"clustering": {"markers": ["sold", "late_share"]}}, "clustering"),
        ({"costs": {"miss": 1}, "labels": {"from": "column", "column": "left"}, "outcomes": None}, "costs"),
    ],
)
def test_a_rule_about_several_keys_is_reported_at_the_line_of_the_one_at_fault(
    tmp_path: Path, changes: dict[str, Any], key: str
) -> None:
    document = {name: value for name, value in (USE_CASE | changes).items() if value is not None}
    if "pooled" in str(changes):
        del document["partition_column"], document["outcomes"], document["costs"]
    message = complaint(tmp_path, document, UseCase)
    assert message is not None
    text = (tmp_path / "settings.yaml").read_text().splitlines()
    line = int(message.split("line ")[1].split(":")[0])
    assert key in text[line - 1], message


def test_a_feature_cannot_have_the_name_of_the_column_whose_values_have_levels(tmp_path: Path) -> None:
    """A pooled model reads the partition as if it were its last feature, so the two would be one column."""
    for scope in ("global", "pooled"):
        document = USE_CASE | {"features": {**USE_CASE["features"], "branch": {"kind": "category"}}}
        document |= {"models": {"scope": scope}}
        (tmp_path / "use_case.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        with pytest.raises(UserError, match="branch"):
            load_use_case(tmp_path)

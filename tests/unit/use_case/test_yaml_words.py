"""Whatever YAML does not read as the text that was written is refused with its line, as it was written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tenant_experience.errors import UserError
from tenant_experience.use_case.schema import load_use_case

TEXT = """name: written
record_id: client
partition_column: branch
default_source: export
words: {record: client, records: clients}
features:
  amount: {}
  colour: {kind: category}
labels: {from: column, column: outcome, classes: [stays, leaves], positive: leaves}
"""
PLACES = {
    "class": ("[stays, leaves]", "[{}, leaves]", 9, "labels.classes.0"),
    "positive": ("positive: leaves", "positive: {}", 9, "labels.positive"),
    "label": ("column: outcome", "column: {}", 9, "labels.column"),
    "feature": ("  amount:", "  {}:", 7, "features.{}"),
    "words of a feature": ("kind: category", "words: {}", 8, "features.colour.words"),
    "partition_column": ("branch", "{}", 3, "partition_column"),
    "record_id": ("record_id: client", "record_id: {}", 2, "record_id"),
    "part of an id": ("record_id: client", "record_id: {{from: [a, {}]}}", 2, "record_id.from.1"),
    "source": ("export", "{}", 4, "default_source"),
    "word": ("record: client,", "record: {},", 5, "words.record"),
    "name of a word": ("record: client,", "{}: client,", 5, "words.{}"),
    "key": ("name: written\n", "name: written\n{}: 3\n", 2, "{}"),
}
BARE = [
    "no",
    "Yes",
    "on",
    "OFF",
    "true",
    "1.0",
    "1.0e+3",
    "2024-01-01",
    "012",
    "0x1F",
    "12:30",
    "1_000",
    "7",
    "null",
    "~",
]
# A key without a value is left out, as everywhere in YAML.
MAY_BE_EMPTY = {("label", "null"), ("label", "~"), ("positive", "null"), ("positive", "~")} | {
    ("words of a feature", "null"),
    ("words of a feature", "~"),
}


def load(tmp_path: Path, place: str, value: str) -> str | None:
    """The refusal; None when there is none."""
    before, after, _, _ = PLACES[place]
    assert before in TEXT
    (tmp_path / "use_case.yaml").write_text(TEXT.replace(before, after.format(value), 1))
    try:
        load_use_case(tmp_path)
    except UserError as error:
        return error.message
    return None


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", BARE)
def test_a_bare_value_is_refused_with_its_line_and_as_it_was_written(tmp_path: Path, place: str, value: str) -> None:
    if (place, value) in MAY_BE_EMPTY:
        return
    told = load(tmp_path, place, value)
    assert told is not None
    _, _, line, key = PLACES[place]
    hint = (
        rf"line {line}: key '{re.escape(key.format(value))}': [^;]*YAML reads [^;]*in quotes[^;]* '{re.escape(value)}'"
    )
    assert re.search(hint, told), told


@pytest.mark.parametrize("value", BARE)
def test_what_the_hint_says_to_write_is_then_read_as_text(tmp_path: Path, value: str) -> None:
    told = load(tmp_path, "words of a feature", f"'{value}'")
    assert told is None
    quoted = load(tmp_path, "class", f"'{value}'")
    assert quoted is None or "values of a column are read" in quoted or "a class has 1 to 128" in quoted


def test_an_unknown_word_is_told_which_there_are(tmp_path: Path) -> None:
    told = load(tmp_path, "name of a word", "row")
    assert told is not None
    assert "line 5: unknown key 'words.row'; allowed here: record, records, partition, partitions" in told

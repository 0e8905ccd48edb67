import sys
from pathlib import Path

import pytest

from checks import line_length
from checks.line_length import COLUMNS, LongLine, checked_files, long_lines

LONG = "word " * 25


def test_a_line_of_120_columns_passes_and_one_of_121_does_not():
    assert list(long_lines("é" * COLUMNS + "\n" + "é" * (COLUMNS + 1))) == [LongLine(2, COLUMNS + 1)]


@pytest.mark.parametrize(
    "line",
    [
        "https://example.com/" + "a" * 120,
        "# https://example.com/" + "a" * 120,
        "- <https://example.com/" + "a" * 120 + ">",
        "[name]: https://example.com/" + "a" * 120,
        "- [text](https://example.com/" + "a" * 120 + ").",
    ],
)
def test_a_line_that_is_one_url_may_be_longer(line: str):
    assert not list(long_lines(line))


@pytest.mark.parametrize("line", [LONG, f"{LONG} https://example.com", "| a | " + "b" * 120 + " |", "a" * 121])
def test_prose_tables_and_long_words_may_not(line: str):
    assert list(long_lines(line)) == [LongLine(1, len(line))]


def test_what_a_command_writes_between_markers_is_not_checked():
    text = f"<!-- operations: begin -->\n{LONG}\n<!-- operations: end -->\n{LONG}"
    assert list(long_lines(text)) == [LongLine(4, len(LONG))]


def test_files_are_chosen_by_name_or_first_line(tmp_path: Path):
    contents = {
        "README.md": "", "template.yaml": "", "flow.asl.json": "", "Makefile": "", "page.html.j2": "", "run.sh": "",
        ".ci/run": "#!/usr/bin/env bash\n", "serve": "#!/usr/bin/env python3\n", "module.py": "", "data.json": "",
        "requirements/project.txt": "", ".venv/README.md": "", "LICENSE": "",
    }  # fmt: skip
    for name, content in contents.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(content)
    assert [str(file.relative_to(tmp_path)) for file in checked_files(tmp_path)] == [
        "Makefile", "README.md", "flow.asl.json", "page.html.j2", "run.sh", "template.yaml", ".ci/run",
    ]  # fmt: skip


def test_the_command_lists_what_it_finds_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setattr(sys, "argv", ["line_length", str(tmp_path)])
    assert line_length.main() == 0
    (tmp_path / "a.md").write_text(f"short\n{LONG}\n")
    assert line_length.main() == 1
    assert f"{tmp_path / 'a.md'}:2:{len(LONG)}" in capsys.readouterr().out

"""No line over 120 columns in what people read and edit besides Python: documents, YAML, state machines, templates.

ruff holds the Python files. Files are checked by their name (``CHECKED``) and shell scripts also by their first line.
Two kinds of lines may be longer: one that is a single URL or a link to one, because a URL cannot be broken, and one
that a command writes between ``<!-- name: begin -->`` and ``<!-- name: end -->``, because nobody edits it. Lock files
(``requirements/*.txt``) are written by uv and are not checked.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COLUMNS = 120
CHECKED = ("*.md", "*.yaml", "*.yml", "samconfig.toml", "*.asl.json", "Makefile", "*.sh", "*.j2")
# Folders that hold what was built or installed. Every other folder that begins with a dot holds files of the project.
_SKIPPED = {".git", ".venv", ".local", ".aws-sam", "__pycache__", "node_modules"}
_SHELL = re.compile(rb"#!.*\b(ba|da)?sh\b")
# A list marker, a comment sign or a link definition may stand before the URL; brackets and a full stop may surround it.
_URL_ALONE = re.compile(r"\s*([-*#>] *|\[[^\]]+\]: *)?(\[[^\]]*\]\()?<?https?://\S+\s*")
_GENERATED = re.compile(r"<!-- [\w-]+: (begin|end) -->")


@dataclass(frozen=True)
class LongLine:
    """A line that is too long.

    Attributes:
        number: of the line in its file, from 1.
        columns: how many characters it has.
    """

    number: int
    columns: int


def long_lines(text: str) -> Iterator[LongLine]:
    """Every line of ``text`` that is longer than ``COLUMNS`` and may not be."""
    generated = False
    for number, line in enumerate(text.splitlines(), start=1):
        if marker := _GENERATED.fullmatch(line.strip()):
            generated = marker[1] == "begin"
        if len(line) > COLUMNS and not generated and not _URL_ALONE.fullmatch(line):
            yield LongLine(number, len(line))


def checked_files(root: Path) -> Iterator[Path]:
    """The files below ``root`` whose lines are checked, in order of their paths."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        for file in sorted(Path(folder, name) for name in names):
            if any(file.match(pattern) for pattern in CHECKED) or _is_shell_script(file):
                yield file


def _is_shell_script(file: Path) -> bool:
    """Scripts whose name has no suffix say in their first line what runs them."""
    if file.suffix or not file.is_file():
        return False
    with file.open("rb") as opened:
        return _SHELL.match(opened.readline(200)) is not None


def main() -> int:
    """Print ``file:line:length`` for each line that is too long; 1 when there is any."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=Path(), help="the checkout; by default this folder")
    root = parser.parse_args().root
    found = 0
    for file in checked_files(root):
        for line in long_lines(file.read_text()):
            found += 1
            print(f"{file}:{line.number}:{line.columns}")  # noqa: T201  # a command's output
    print(f"line length: {f'{found} line(s) over {COLUMNS} columns' if found else 'clean'}")  # noqa: T201  # as above
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""What tests may do: import from tests/support but not from each other, and wait for a thing instead of for seconds."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.places import ROOT

FOLDERS = (ROOT / "tests", ROOT / "local_aws" / "tests")
# What the jobs of tests run. A program lasts as long as its test tells it to.
PROGRAMS = ROOT / "local_aws" / "tests" / "sagemaker" / "program"


@cache
def files() -> dict[Path, ast.Module]:
    """What all tests consist of."""
    return {path: ast.parse(path.read_text()) for folder in FOLDERS for path in sorted(folder.rglob("*.py"))}


def imported_modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (name.name for name in node.names)


def fixed_sleeps(node: ast.AST, *, in_loop: bool = False) -> Iterator[int]:
    """Lines of ``time.sleep`` outside a loop: inside one it is the pause between two looks."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            inside = False
        else:
            inside = in_loop or isinstance(child, ast.While | ast.For)
        if isinstance(child, ast.Call) and ast.unparse(child.func) in ("time.sleep", "sleep") and not inside:
            yield child.lineno
        yield from fixed_sleeps(child, in_loop=inside)


def test_no_module_of_tests_is_imported_by_another() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {module}"
        for path, tree in files().items()
        for module in imported_modules(tree)
        if module.rpartition(".")[2].startswith("test_") or module.rpartition(".")[2] == "conftest"
    ]
    assert not wrong, "move what is shared to a module of tests/support"


def test_no_test_waits_for_seconds() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path, tree in files().items()
        if not path.is_relative_to(PROGRAMS)
        for line in fixed_sleeps(tree)
    ]
    assert not wrong, "wait for the thing: with tests/support/waiting.py or local_aws/tests/server/machines.py"


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("import time\ntime.sleep(1)", [2]),
        ("while True:\n    time.sleep(1)", []),
        ("for _ in range(9):\n    def wait():\n        time.sleep(1)", [3]),
        ("SCRIPT = 'time.sleep(5)'", []),
    ],
)
def test_a_pause_in_a_loop_is_no_fixed_sleep(source: str, lines: list[int]) -> None:
    assert list(fixed_sleeps(ast.parse(source))) == lines


def test_every_folder_is_read() -> None:
    names = {path.relative_to(ROOT).parts[:2] for path in files()}
    assert {("tests", "unit"), ("tests", "flow"), ("local_aws", "tests")} <= names
    assert Path(__file__) in files()

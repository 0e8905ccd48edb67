"""The rooms of the package say what they offer, and keep the rest to themselves; their order is import-linter's."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "tenant_experience"
ROOMS = sorted(folder.parent for folder in PACKAGE.glob("*/__init__.py"))


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_says_what_it_is_for_and_offers_its_public_modules(room: Path) -> None:
    tree = ast.parse((room / "__init__.py").read_text())
    offered = [ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)]
    public = sorted(path.stem for path in room.glob("*.py") if not path.stem.startswith("_"))
    assert ast.get_docstring(tree)
    assert offered == [public]


def test_no_room_uses_what_another_keeps_to_itself() -> None:
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}".split(".") for alias in node.names]
                found += [
                    f"{path.relative_to(PACKAGE)}: {'.'.join(name)}"
                    for name in names
                    if len(name) > 2 and name[0] == PACKAGE.name and name[2].startswith("_")
                    if path.parent.name != name[1]
                ]
    assert found == []

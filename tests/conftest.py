"""Tests run side by side: a file is a unit, and all of the flow is one, because its files share a laptop's AWS."""

from __future__ import annotations

from pathlib import Path

import pytest

FLOW = Path(__file__).parent / "flow"
# Publishes releases of its own, and kills the server in the end.
LAST = FLOW / "test_failures.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The flow first, it takes longest; the other files after it."""
    for item in items:
        unit = FLOW if item.path.is_relative_to(FLOW) else item.path
        item.add_marker(pytest.mark.xdist_group(unit.stem if unit == FLOW else str(unit)))
    items.sort(key=lambda item: (not item.path.is_relative_to(FLOW), item.path == LAST))

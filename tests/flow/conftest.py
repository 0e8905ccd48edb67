"""Tests of the deployed stack take long."""

from __future__ import annotations

from pathlib import Path

import pytest

# A limit against hanging, not on speed: some tests make three releases, and each takes minutes on a busy machine.
_LIMIT_S = 3600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(_LIMIT_S))

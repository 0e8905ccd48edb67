"""Where the tests of the intake read from."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """An empty folder."""
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw"

"""Where the tests of the intake read from, and where the intake may write meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path / "ml"))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """An empty folder."""
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw"

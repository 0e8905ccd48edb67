"""Spark lives in an environment of its own, which `make test` and `make spark` build."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.places import ROOT

SPARK_PYTHON = ROOT / ".local" / "venvs" / "spark" / "bin" / "python"


@pytest.fixture(scope="session")
def spark_python() -> Path:
    if not SPARK_PYTHON.exists():
        pytest.fail(f"{SPARK_PYTHON} is missing: `make spark` builds it", pytrace=False)
    return SPARK_PYTHON

"""Spark lives in an environment of its own, which `make test` and `make spark` build."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import requirements


@pytest.fixture(scope="session")
def spark_python() -> Path:
    return requirements.spark_python()

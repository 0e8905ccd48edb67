"""What some tests need and a machine may lack: without it they are skipped, but in CI (CI=true) they fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from tests.support.places import ROOT, SHARED_DATA

_SPARK_PYTHON = ROOT / ".local" / "venvs" / "spark" / "bin" / "python"
_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


def needs_shared_data(name: str) -> pytest.MarkDecorator:
    """Skips tests without this file or folder of data, which is not in the project; CI does not have it either."""
    return pytest.mark.skipif(not (SHARED_DATA / name).exists(), reason=f"{name} is not in ../shared/data")


def chromium() -> str:
    """The path of a Chromium."""
    found = next((path for name in _CHROMIUM_NAMES if (path := shutil.which(name))), None)
    return found or _missing("Chromium is not installed: apt-get install chromium")


def spark_python() -> Path:
    """The interpreter of Spark's environment, on a machine that has Java 17."""
    if _java_version() < 17:
        _missing("Java 17 is not installed: apt-get install openjdk-17-jre-headless")
    if not _SPARK_PYTHON.exists():
        pytest.fail(f"{_SPARK_PYTHON} is missing: run make spark", pytrace=False)
    return _SPARK_PYTHON


def _java_version() -> int:
    """0 without Java."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    if java is None:
        return 0
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


def _missing(message: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{message}. CI skips no test.", pytrace=False)
    pytest.skip(message)

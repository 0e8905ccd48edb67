"""What a cold start pays for: no function imports the libraries of the jobs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.places import ROOT

FUNCTIONS = sorted(folder for folder in (ROOT / "functions").iterdir() if folder.is_dir())
HEAVY = {"pandas", "numpy", "duckdb", "xgboost", "sklearn", "pyarrow", "matplotlib", "pydantic"}


@pytest.mark.parametrize("folder", FUNCTIONS, ids=lambda folder: folder.name)
def test_a_function_imports_nothing_heavy(folder: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import app, sys; print(*sorted(name.split('.')[0] for name in sys.modules))"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{folder}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert not HEAVY & set(found.stdout.split())


def test_every_function_has_a_sample_event() -> None:
    samples = {path.stem for path in (ROOT / "events").glob("*.json")}
    functions = {folder.name for folder in FUNCTIONS}
    assert samples >= functions
    further = {"features_record", "predictions_record", "predictions_many_records", "predictions_use_cases"}
    assert samples - functions == {"start_release_history", *further}

"""The memory a model is taken to need is not less than what it takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from container.model_store import MEMORY_PER_FILE_BYTE, MEMORY_PER_MODEL
from tests.support.parameters import mostly_slow
from tests.support.places import ROOT
from tests.support.small_model import write_model

COPIES = 50
MEASURE = f"""
import sys
from pathlib import Path
from tenant_experience.models.scoring import Scorer

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

folder = Path(sys.argv[1])
first = Scorer.load(folder)
before = resident()
kept = [Scorer.load(folder) for _ in range({COPIES})]
print(resident() - before)
"""


@pytest.mark.parametrize("trees", mostly_slow([5, 200], kept=[1]))
def test_the_estimate_covers_what_models_take(tmp_path: Path, trees: int) -> None:
    folder = write_model(tmp_path / "model", trees=trees)
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", MEASURE, str(folder)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    estimate = MEMORY_PER_MODEL + MEMORY_PER_FILE_BYTE * (folder / "model.ubj").stat().st_size
    assert int(done.stdout) <= COPIES * estimate

"""docs/trainers.md does what it says: its code block, put into the folder of the trainers, is a trainer."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.places import ROOT

USE = """
import sys
from pathlib import Path
import numpy as np
from pydantic import TypeAdapter
import tenant_experience
from tenant_experience.models.scoring import Scorer
from tenant_experience.training.fit import fit
from tenant_experience.use_case.trainer_names import TrainerName, trainer_names
from tests.support.fit_tasks import dataset, fit_task

assert Path(tenant_experience.__file__).is_relative_to(sys.argv[1])
assert "stumps" in trainer_names()
TypeAdapter(TrainerName).validate_python("stumps")
for task in ("binary", "multiclass", "regression"):
    folder = Path(sys.argv[1]) / task
    fit(fit_task("stumps", task)).write(folder)
    unseen = dataset(task, 3, 500)
    outputs = Scorer.load(folder).outputs(unseen.matrix)
    if task == "binary":
        assert np.mean((outputs >= 0.5) == unseen.labels) > 0.75
    elif task == "multiclass":
        assert np.mean(outputs.argmax(axis=1) == unseen.labels) > 0.6
    else:
        assert np.mean((outputs - unseen.labels) ** 2) < 0.8 * np.var(unseen.labels)
print("scored")
"""


def block() -> str:
    found = re.search(r"^```python\n(.*?)^```$", (ROOT / "docs/trainers.md").read_text(), re.M | re.S)
    assert found
    return found[1]


def test_the_trainer_of_the_document_trains_and_scores_once_its_module_is_there(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    package = shutil.copytree(ROOT / "src/tenant_experience", tmp_path / "tenant_experience", ignore=ignored)
    (package / "training/trainers/stumps.py").write_text(block())
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", USE, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout) == (0, "scored\n"), done.stderr


def test_the_trainer_of_the_document_has_at_most_60_lines() -> None:
    assert len(block().splitlines()) <= 60

"""A share of ``make fuzz``: each mutated file ends in features, a quarantine or a named refusal, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.cases import make_case
from tests.fuzz.valid_inputs import KINDS, valid_batch
from tests.fuzz.verdict import ARGUMENTS, judge
from tests.fuzz.workers import run_cases
from tests.support.parameters import mostly_slow
from tests.support.places import ROOT

SEED = 7


def in_a_process(base: Path) -> tuple[int, str]:
    script = ROOT / "sagemaker_scripts" / "build_features.py"
    environment = {"PATH": os.environ["PATH"], "SAGEMAKER_BASE_DIR": str(base), "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, str(script), *ARGUMENTS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd="/")  # noqa: S603
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("kind", mostly_slow(KINDS, kept=[0, 1]))
def test_what_mutations_begin_with_is_valid(tmp_path: Path, kind: str):
    verdict = judge(valid_batch(kind), tmp_path / "case")
    assert verdict.problems == []
    assert verdict.ending == "ok"


@pytest.mark.parametrize("count", [20, pytest.param(75, marks=pytest.mark.slow)])
def test_mutated_files_end_in_features_quarantine_or_a_named_refusal(count: int):
    results = run_cases(SEED, list(range(count)), processes=2)
    assert [
        (result.number, result.what, result.verdict.problems) for result in results if result.verdict.problems
    ] == []
    assert {"ok", "ok, some rows quarantined", "corrupt_file"} <= {result.verdict.ending for result in results}


@pytest.mark.parametrize("number", [0, *(pytest.param(number, marks=pytest.mark.slow) for number in (3, 14))])
def test_a_process_ends_the_same(tmp_path: Path, number: int):
    verdicts = [
        judge(make_case(SEED, number), tmp_path / name, *how) for name, how in (("a", ()), ("b", (in_a_process,)))
    ]
    assert verdicts[1].problems == []
    assert verdicts[0].ending == verdicts[1].ending

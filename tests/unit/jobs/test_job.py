import json
from pathlib import Path

import pytest

from tenant_experience.errors import AlgorithmError, PlatformError, UserError
from tenant_experience.jobs.job import run_job, run_training_job
from tenant_experience.jobs.outcome import Outcome


@pytest.fixture
def ml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    return tmp_path


def raising(error: Exception):
    def main(_arguments: list[str] | None = None) -> Outcome:
        raise error

    return main


def test_success_exits_0_and_writes_its_figures(ml: Path):
    assert run_job(lambda _arguments: Outcome.ok(tenants=3), "features") == 0
    document = json.loads((ml / "processing/output/features/outcome.json").read_text())
    assert document == {"status": "ok", "fault": None, "code": None, "message": None, "tenants": 3}
    assert not (ml / "output/message").exists()


@pytest.mark.parametrize(("error", "fault"), [(UserError, "user"), (AlgorithmError, "algorithm")])
def test_a_refusal_exits_0_and_says_whose_fault(ml: Path, error, fault: str):
    assert run_job(raising(error("the file x.csv is empty", code="empty_file")), "features") == 0
    outcome = Outcome.read(ml / "processing/output/features")
    assert (outcome.status, outcome.fault, outcome.code) == ("refused", fault, "empty_file")
    assert (ml / "output/message").read_text() == f"{error.__name__}: empty_file: the file x.csv is empty"
    assert not (ml / "output/failure").exists()


@pytest.mark.parametrize("error", [PlatformError("throttled", code="throttled"), ZeroDivisionError("division")])
def test_anything_else_exits_1_with_its_kind_first(ml: Path, error: Exception):
    assert run_job(raising(error), "features") == 1
    assert (ml / "output/message").read_text().startswith("PlatformError: ")
    assert str(error.args[0]) in (ml / "output/message").read_text()
    assert not (ml / "processing/output/features/outcome.json").exists()


def test_a_training_job_writes_failure_too(ml: Path):
    assert run_training_job(raising(AlgorithmError("no groups", code="no_groups"))) == 0
    assert (ml / "output/failure").read_text() == (ml / "output/message").read_text()
    assert Outcome.read(ml / "model").code == "no_groups"


def test_messages_are_cut_without_breaking_a_character(ml: Path):
    run_job(raising(UserError("é" * 3000, code="long")), "features")
    assert len((ml / "output/message").read_bytes()) <= 1024
    (ml / "output/message").read_text(encoding="utf-8")
    assert len(Outcome.read(ml / "processing/output/features").message or "") == 2000


def test_figures_may_not_hide_the_verdict(ml: Path):
    with pytest.raises(ValueError, match="status"):
        Outcome.ok(status="ok").as_dict()
    assert ml.exists()

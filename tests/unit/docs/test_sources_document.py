"""docs/sources.md does what it says."""

import re
import shutil
from pathlib import Path

import pytest

from tenx.main import main
from tests.support.places import ROOT, USE_CASE_FOLDER


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", (ROOT / "docs/sources.md").read_text(), re.M | re.S)
    assert found
    return found[1]


def test_the_walk_through_prints_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    use_case = shutil.copytree(USE_CASE_FOLDER, tmp_path / "tenant_experience")
    (use_case / "sources/helpdesk.yaml").write_text(block("yaml"))
    (tmp_path / "helpdesk.csv").write_text(block("csv"))
    words = [str(tmp_path / "helpdesk.csv"), "--source", "helpdesk", "--use-case", str(use_case)]
    assert main(["preview", *words, "--as-of", "2026-11-16T00:00:00Z"]) == 0
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == block("text").splitlines()


def test_what_cannot_be_previewed_is_said(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["preview", str(tmp_path / "nothing.csv")]) == 1
    assert "there is no such file" in capsys.readouterr().err
    (tmp_path / "e.csv").write_text("a,b\n1,2\n")
    assert main(["preview", str(tmp_path / "e.csv"), "--source", "nobodys"]) == 1
    assert "choose one of events" in capsys.readouterr().err

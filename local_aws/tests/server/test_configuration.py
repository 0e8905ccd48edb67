"""Which images a project has, when ``--image`` does not say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_aws.configuration import image_files
from local_aws.errors import LocalAwsError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("one.json", "two.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "pyproject.toml").write_text('[tool.local-aws]\nimages = ["one.json"]\n')
    return tmp_path


def test_the_images_of_the_project(project: Path) -> None:
    assert image_files(None, project) == [project / "one.json"]


def test_the_command_line_comes_first(project: Path) -> None:
    assert image_files([Path("two.json")], project) == [project / "two.json"]


@pytest.mark.parametrize("text", [None, "", "[tool.other]\n", "[tool.local-aws]\n"])
def test_a_project_without_images(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    assert image_files(None, tmp_path) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.local-aws\n", "not valid TOML"),
        ('[tool.local-aws]\nimage = "one.json"\n', "unknown setting image"),
        ('[tool.local-aws]\nimages = "one.json"\n', "images must be a list of file names"),
        ("[tool]\nlocal-aws = 1\n", "must be a table"),
        ('[tool.local-aws]\nimages = ["three.json"]\n', "images: three.json: there is no such file in"),
    ],
)
def test_a_wrong_table_is_named(project: Path, text: str, said: str) -> None:
    (project / "pyproject.toml").write_text(text)
    with pytest.raises(LocalAwsError, match=said) as refused:
        image_files(None, project)
    assert "pyproject.toml" in str(refused.value)


def test_a_missing_file_of_the_command_line(project: Path) -> None:
    with pytest.raises(LocalAwsError, match=r"--image three\.json: there is no such file"):
        image_files([Path("three.json")], project)

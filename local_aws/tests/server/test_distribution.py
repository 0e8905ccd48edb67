"""The distribution holds every package, and nothing in it knows the project around it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PACKAGE = Path(__file__).parents[2]


def code() -> list[Path]:
    files = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in ("tests", "build")]
    assert len(files) > 50
    return files


def test_every_package_is_listed() -> None:
    listed = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {path.parent.relative_to(PACKAGE) for path in code()}
    assert set(listed) == {".".join(("local_aws", *folder.parts)) for folder in folders}


def test_every_package_says_what_it_is_for() -> None:
    for folder in {path.parent for path in code()}:
        assert (folder / "__init__.py").read_text().startswith('"""'), folder


def test_ministack_is_pinned_to_the_version_that_the_patches_are_written_for() -> None:
    from local_aws.ministack_patches.patched_names import WRITTEN_FOR

    needed = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]["dependencies"]
    assert f"ministack=={WRITTEN_FOR}" in needed


def test_the_lock_has_what_the_distribution_needs() -> None:
    lock = PACKAGE.parent / "requirements" / "local_aws.txt"
    locked = set(re.findall(r"^([\w.-]+)==", lock.read_text(), re.MULTILINE))
    for needed in tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]["dependencies"]:
        assert needed.partition("==")[0] in locked


def test_nothing_outside_the_package_is_imported_or_named() -> None:
    for path in code():
        text = path.read_text()
        assert not re.search(r"tenant.experience|sagemaker_scripts|\bcontainer/", text, re.IGNORECASE), path

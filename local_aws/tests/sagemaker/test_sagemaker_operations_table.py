"""The table in the README is the code's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_aws.__main__ import README
from local_aws.sagemaker import readme_table


def test_the_readme_is_current() -> None:
    assert readme_table.render() in README.read_text(), "run `python -m local_aws operations`"


def test_the_table_says_what_is_refused() -> None:
    table = dict(line.strip("| ").partition(" | ")[::2] for line in readme_table.render().splitlines())
    assert "WarmStartConfig" in table["CreateHyperParameterTuningJob"]
    assert table["UpdateFeatureGroup"] == "ThroughputConfig"
    assert table["CreateModelPackageGroup"] == "ManagedConfiguration"


def test_a_file_without_markers(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text("Nothing.")
    with pytest.raises(ValueError, match="operations: begin"):
        readme_table.write(file)

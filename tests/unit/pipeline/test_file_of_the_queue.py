"""A file that the queue has handed over is opened like a batch; its source may read the file's name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tenant_experience.errors import UserError
from tenant_experience.pipeline.batch import Batch, Folders
from tenant_experience.use_case.manifest import Manifest
from tests.support.places import USE_CASES


def test_only_a_file_on_its_own_has_a_name_that_its_source_may_read(tmp_path: Path) -> None:
    folders = Folders(tmp_path, USE_CASES / "telecom_churn", *[tmp_path] * 4)
    asked, given = datetime(2026, 11, 1, tzinfo=UTC), Manifest(source="inference", train=False)
    batch = Batch.open(folders, "telecom_churn", asked, manifest=given, file="dim_2.csv")
    assert "regexp_extract('dim_2.csv'" in batch.source.columns["dimension"]
    assert "churn" not in batch.source.columns
    with pytest.raises(UserError, match="which only files below inference/ have"):
        Batch.open(folders, "telecom_churn", asked, manifest=given)

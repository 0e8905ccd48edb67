"""A judged partition, for the tests that ask its model."""

from __future__ import annotations

import pytest

from tenant_experience.models.served_model import ServedModel
from tests.support.judged_partition import Judged, judged_groups


@pytest.fixture(scope="package")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return judged_groups(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="package")
def model(judged: Judged) -> ServedModel:
    return ServedModel.load(judged.evaluation.folder)

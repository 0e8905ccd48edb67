from __future__ import annotations

import pytest

from tests.support.generated_tenants import generated_table, with_open_items, write_job_inputs
from tests.support.script_release import Release, make_release


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """2,000 generated tenants, one global model; every fiftieth tenant has an open item."""
    base = tmp_path_factory.mktemp("release")
    table = with_open_items(generated_table(2_000, portfolios=("north", "south", "<east> & co")))
    write_job_inputs(base, table)
    return make_release(base)

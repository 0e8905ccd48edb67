"""A view of ``features.sql`` cannot have the name of a table of this application, however late that one is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenant_experience.errors import UserError
from tenant_experience.features.sql import taken_names
from tenant_experience.intake.engine import DuckDbEngine
from tenant_experience.use_case.schema import load_use_case
from tests.support.known_hazard import tickets, written
from tests.support.written_use_case import events_of

SQL = """
CREATE {kind} {name} AS SELECT tenant_id, portfolio_id, count(*) AS calls FROM events GROUP BY ALL;
SELECT *, CASE WHEN calls > 2 THEN 'many' ELSE 'few' END AS outcome FROM {name}
"""


@pytest.fixture(autouse=True)
def _scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path / "ml"))


@pytest.mark.parametrize("kind", ["VIEW", "TABLE"])
@pytest.mark.parametrize(
    "name", ["placed", "partition_of", "features_refused", "repeated_rows", "freshness", "reach", "previous_features"]
)
def test_a_name_that_this_application_uses_is_refused_with_its_line(name: str, kind: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        events_of(tmp_path, SQL.format(kind=kind, name=name)).build()
    assert refused.value.code == "invalid_use_case"
    assert refused.value.message.startswith(f"features.sql: line 2: gives the name '{name}' to a statement, but")


def test_all_tables_of_a_release_are_among_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: set[str] = set()
    keep = DuckDbEngine.keep

    def watched(self: DuckDbEngine, name: str, sql: str) -> None:
        keep(self, name, sql)
        tables = (
            "SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal"
        )
        found.update(str(table) for (table,) in self.connection.execute(tables).fetchall())

    made = written(tmp_path, tickets(60))
    made.build()
    monkeypatch.setattr(DuckDbEngine, "keep", watched)
    features = (made.base / "job/features").rename(tmp_path / "live")
    made.build(previous=features)
    named = {line.split()[2] for line in str(made.sql).splitlines() if line.startswith("CREATE")}
    assert {"placed", "previous_features", "risk_features_3_refused", "reach"} <= found
    assert found - named <= taken_names(load_use_case(made.folder))

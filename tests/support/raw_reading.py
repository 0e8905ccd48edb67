"""Reading a folder of raw files of the shipped use case, and what came of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb

from tenant_experience.data_quality.describe import describe_intake
from tenant_experience.intake.duckdb_session import open_session
from tenant_experience.intake.engine import DuckDbEngine
from tenant_experience.intake.events import read_events
from tenant_experience.intake.files import find_raw_files
from tenant_experience.pseudonyms import Pseudonyms
from tenant_experience.use_case.schema import USE_CASE_FILE, load_use_case
from tenant_experience.use_case.source import load_source
from tests.support.places import USE_CASE_FOLDER

USE_CASE = load_use_case(USE_CASE_FOLDER)
EVENTS_SOURCE = load_source(USE_CASE_FOLDER, "events", USE_CASE)


HEADER = (
    "event_id,tenant_id,portfolio_id,channel,direction,opened_at,first_response_at,resolved_at,"
    "answered,escalated,sentiment"
)


REQUESTED_AT = datetime(2026, 11, 20, 10, tzinfo=UTC)


GOOD = "E1,T1,p,ticket,,2026-01-01T10:00:00Z,,,,,"


class Read:
    """What came of a folder of files."""

    def __init__(
        self,
        folder: Path,
        source_folder: Path = USE_CASE_FOLDER,
        source_name: str = "events",
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        is_shipped = source_folder == USE_CASE_FOLDER or not (source_folder / USE_CASE_FILE).exists()
        use_case = USE_CASE if is_shipped else load_use_case(source_folder)
        is_events = (source_folder, source_name) == (USE_CASE_FOLDER, "events")
        source = EVENTS_SOURCE if is_events else load_source(source_folder, source_name, use_case)
        with open_session(folder, time_zone=source.time_zone) as (connection, scratch):
            files = find_raw_files(folder, source, scratch)
            self.counts = read_events(
                DuckDbEngine(connection, scratch, pseudonyms), files, source, use_case, REQUESTED_AT
            )
            self.intake = describe_intake(connection, self.counts.files)
            self.events = self._rows(connection, "SELECT * FROM events ORDER BY event_id")
            self.quarantine = self._rows(connection, "SELECT * FROM quarantine ORDER BY file, line")

    @staticmethod
    def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict]:
        return connection.sql(query).to_arrow_table().to_pylist()

    @property
    def reasons(self) -> list[tuple]:
        return [(row["reason"], row["column_name"], row["line"]) for row in self.quarantine]


def write_csv(folder: Path, *lines: str, name: str = "events.csv", header: str = HEADER) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n")
    return folder

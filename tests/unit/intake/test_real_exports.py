"""The real exports that sources are shipped for, against figures computed from the files by other means."""

import csv
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tenant_experience.features.sql import features_from_events
from tenant_experience.intake.duckdb_session import open_session
from tenant_experience.intake.engine import DuckDbEngine
from tenant_experience.intake.events import EventCounts, read_events
from tenant_experience.intake.files import find_raw_files
from tenant_experience.use_case.source import load_source
from tests.support.places import SHARED_DATA, USE_CASE_FOLDER
from tests.support.raw_reading import USE_CASE
from tests.support.requirements import needs_shared_data

SQL = (USE_CASE_FOLDER / "features.sql").read_text()
REQUESTED_AT = datetime(2026, 11, 20, tzinfo=UTC)
UCI = SHARED_DATA / "uci498_incident_event_log.zip"
NYC = SHARED_DATA / "nyc311_1000_20240416.csv"

pytestmark = [needs_shared_data(UCI.name), pytest.mark.slow]


class Export:
    """One export, read by the source shipped for it."""

    def __init__(self, file: Path, source_name: str, engine: DuckDbEngine, scratch: Path) -> None:
        self.source = load_source(USE_CASE_FOLDER, source_name, USE_CASE)
        raw = scratch / "raw"
        raw.mkdir()
        (raw / file.name).symlink_to(file)
        self.engine = engine
        files = find_raw_files(raw, self.source, scratch)
        self.counts: EventCounts = read_events(engine, files, self.source, USE_CASE.event_columns, REQUESTED_AT)

    def features(self, as_of: datetime) -> pd.DataFrame:
        """By tenant."""
        self.engine.connection.begin()
        try:
            features_from_events(self.engine, self.source.adjust(USE_CASE), SQL, as_of)
            return self.engine.connection.sql("SELECT * FROM features").df().set_index("tenant_id").sort_index()
        finally:
            self.engine.connection.rollback()  # for the next as_of

    def quarantined(self) -> list[tuple]:
        """(reason, column, rows)"""
        query = "SELECT reason, column_name, count(*) FROM quarantine GROUP BY ALL ORDER BY 1, 2"
        return self.engine.connection.execute(query).fetchall()


def read_export(file: Path, source_name: str, base: Path) -> Iterator[Export]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAGEMAKER_BASE_DIR", str(base))
        source = load_source(USE_CASE_FOLDER, source_name, USE_CASE)
        with open_session(SHARED_DATA, time_zone=source.time_zone) as (connection, scratch):
            yield Export(file, source_name, DuckDbEngine(connection, scratch), scratch)


@pytest.fixture(scope="module")
def incidents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Export]:
    yield from read_export(UCI, "uci_incidents", tmp_path_factory.mktemp("uci"))


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Export]:
    yield from read_export(NYC, "nyc311", tmp_path_factory.mktemp("nyc"))


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    """The rows of the incident log, as pandas reads them."""
    with zipfile.ZipFile(UCI) as archive, archive.open(archive.namelist()[0]) as content:
        rows = pd.read_csv(content, dtype=str, na_values=["?"], keep_default_na=False)
    for column in ("opened_at", "sys_updated_at", "resolved_at"):
        rows[column] = pd.to_datetime(rows[column], format="%d/%m/%Y %H:%M")
    rows["updates"], rows["hands"] = rows.sys_mod_count.astype(int), rows.reassignment_count.astype(int)
    return rows


def by_pandas(log: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The same features by other means: what each caller's tickets looked like, from the rows written before."""
    touched = log.updates > 0
    usable = log[log.caller_id.notna() & ~(touched & (log.sys_updated_at < log.opened_at))]
    written = usable[usable.sys_updated_at < as_of].sort_values(["number", "sys_updated_at", "updates"])
    tickets = written.groupby("number").agg(
        caller=("caller_id", lambda callers: callers.iloc[-1]),
        location=("location", lambda places: places.iloc[-1]),
        opened=("opened_at", "last"),
        hands=("hands", "last"),
    )
    tickets["responded"] = written[written.updates > 0].groupby("number").sys_updated_at.min()
    tickets["resolved"] = written[written.ident_state == "Resolved"].groupby("number").sys_updated_at.max()
    tickets = tickets[tickets.opened < as_of].sort_values(["opened", "number"])
    tickets["response_hr"] = (tickets.responded - tickets.opened) / pd.Timedelta(hours=1)
    tickets["resolution_hr"] = (tickets.resolved - tickets.opened) / pd.Timedelta(hours=1)
    tickets["open_since"] = tickets.opened.where(tickets.resolved.isna())
    callers = tickets.groupby("caller")
    exposure = (as_of - callers.opened.min()) / pd.Timedelta(days=1)
    later = tickets.opened > callers.opened.transform("min")  # exposure begins with the first one, which does not count
    yearly = 365 / exposure.where(exposure >= 30)
    return pd.DataFrame(
        {
            "portfolio_id": callers.location.apply(lambda places: places.iloc[-1]).fillna("all"),
            "history": np.select([exposure < 30, exposure < 60], ["insufficient", "provisional"], "sufficient"),
            "exposure_days": exposure,
            "total_tickets": later.groupby(tickets.caller).sum() * yearly,
            "escalation_count": (later & (tickets.hands > 1)).groupby(tickets.caller).sum() * yearly,
            "mean_first_response_hr": callers.response_hr.mean(),
            "mean_full_resolution_hr": callers.resolution_hr.mean(),
            "open_count": callers.open_since.count().astype(float),
            "oldest_open_hr": (as_of - callers.open_since.min()) / pd.Timedelta(hours=1),
            "work_order_count": 0 * yearly,
            "total_maintenance_tickets": 0 * yearly,
            "outbound_call_count": 0 * yearly,
            "positive_rate": 0.0,
            "negative_rate": 0.0,
            "answer_rate": np.nan,
        }
    ).sort_index()


@pytest.mark.parametrize(
    ("as_of", "callers", "sufficient"),
    [(datetime(2016, 6, 1, tzinfo=UTC), 5190, 3391), (datetime(2016, 5, 1, tzinfo=UTC), 4488, 403)],
)
def test_every_caller_has_the_features_that_pandas_finds(
    incidents: Export, log: pd.DataFrame, as_of: datetime, callers: int, sufficient: int
):
    found, expected = incidents.features(as_of), by_pandas(log, pd.Timestamp(as_of).tz_localize(None))
    assert (len(found), int(found.may_train.sum())) == (callers, sufficient)
    assert list(found.index) == list(expected.index)
    for column in expected:
        if column in ("portfolio_id", "history"):
            assert list(found[column]) == list(expected[column]), column
        else:
            np.testing.assert_allclose(found[column].astype(float), expected[column], rtol=1e-9, err_msg=column)


def test_every_row_of_the_incident_log_is_accounted_for(incidents: Export, log: pd.DataFrame):
    (file,) = incidents.counts.files
    assert (file.rows, log.number.nunique()) == (141_712, 24_918)
    assert incidents.quarantined() == [
        ("missing_value", "tenant_id", 29),
        ("negative_duration", "first_response_at", 4),
    ]
    assert file.rows - file.quarantined - incidents.counts.updates - incidents.counts.duplicates == 24_915
    without_caller = log[log.caller_id.isna()].number
    assert set(log[log.caller_id.notna()].number) & set(without_caller) == set()
    assert without_caller.nunique() == 24_918 - 24_915


def test_the_incident_log_knows_resolutions_before_they_happened(log: pd.DataFrame):
    """Why the source reads the activity and not the column."""
    assert (log.resolved_at > log.sys_updated_at).mean() == pytest.approx(0.617, abs=5e-4)
    as_of = pd.Timestamp("2016-05-01")
    tickets = log[log.sys_updated_at < as_of].drop_duplicates("number", keep="last")
    hours = (tickets.resolved_at - tickets.opened_at) / pd.Timedelta(hours=1)
    assert hours[tickets.resolved_at < as_of].mean() == pytest.approx(101.1, abs=0.05)
    assert hours.mean() == pytest.approx(197.3, abs=0.05)
    never = log.groupby("number").resolved_at.max().isna()
    assert never.sum() == 1_556


def test_housing_complaints_are_open_and_nothing_else_is_kept(complaints: Export):
    with NYC.open(newline="") as content:
        housing = [row for row in csv.DictReader(content) if row["agency"] == "HPD"]
    (file,) = complaints.counts.files
    assert (file.rows, file.filtered, file.quarantined, len(housing)) == (1_000, 630, 0, 370)
    found = complaints.features(complaints.source.as_of)
    assert set(found.index) == {f"{row['incident_address']}, {row['borough']}" for row in housing}
    assert found.open_count.sum() == 370
    assert set(found.portfolio_id) == {row["borough"] for row in housing}
    assert found.mean_full_resolution_hr.isna().all()
    assert set(found.history) == {"insufficient"}
    # Both in the time of New York.
    oldest = datetime(2024, 4, 17) - datetime.fromisoformat(min(row["created_date"] for row in housing))
    assert found.oldest_open_hr.max() == pytest.approx(oldest.total_seconds() / 3600)

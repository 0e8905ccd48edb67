"""What must not move the features as of a moment by one bit: how the log is written, and what happened later."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenant_experience.features.looking_back import first_month
from tenant_experience.features.partitions import assign_partitions
from tenant_experience.features.sql import features_from_events, place_tenants, tenants_by_portfolio, write_features
from tenant_experience.intake.duckdb_session import open_session
from tenant_experience.intake.engine import DuckDbEngine
from tenant_experience.intake.events import columns_of_events, read_events, view_all_events
from tenant_experience.intake.files import find_raw_files
from tenant_experience.intake.kept_events import EventFolder, find_kept
from tenant_experience.pipeline.adding_up import accept, keep_parts
from tenant_experience.use_case.events import DELETED
from tenant_experience.use_case.gates import Gates
from tenant_experience.use_case.schema import load_use_case
from tenant_experience.use_case.source import load_source
from tests.support.event_files import COLUMNS, FORMATS, Event
from tests.support.places import USE_CASE_FOLDER

USE_CASE = load_use_case(USE_CASE_FOLDER).model_copy(update={"gates": Gates(pooled_tenants=1)})
SOURCE = load_source(USE_CASE_FOLDER, "events", USE_CASE)
SQL_PATH = USE_CASE_FOLDER / "features.sql"
AS_OF = datetime(2026, 6, 1)
REQUESTED_AT = datetime(2026, 11, 1, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
# Every edge the rules have, and its neighbours.
AGES = [timedelta(days=d) for d in (400, 365, 200, 180, 90, 10, 2)] + [365 * timedelta(days=1) + INSTANT, INSTANT]
LATER = [timedelta(), INSTANT, timedelta(days=1), timedelta(days=40)]
DELAYS = [timedelta(), INSTANT, timedelta(days=9), timedelta(days=120)]
DELAYS += [timedelta(seconds=s, microseconds=98765) for s in (4321, 77, 1234567, 31415)]

pytestmark = pytest.mark.property
TENANTS = [*["T1"] * 8, "t1", "Zoë", "Zoe\u0308", "O'Brien", 'a "b", c', "01", "1", "NULL", "東京 3"]
_CHANNELS = ["ticket", "ticket", "maintenance_request", "call", "call", "email", "work_order"]


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    base = tmp_path_factory.mktemp("properties")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAGEMAKER_BASE_DIR", str(base))
        yield base


def maybe(strategy: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | strategy


IDS = st.sampled_from([f"E{number}" for number in range(24)])
OPENED = st.sampled_from([AS_OF - age for age in AGES] + [AS_OF + LATER[2]])
RECORDED = st.sampled_from([None] * 5 + [AS_OF - timedelta(days=d) for d in (1, 2)] + [AS_OF, AS_OF + INSTANT])


@st.composite
def events(
    draw: st.DrawFn,
    ids: st.SearchStrategy[str] = IDS,
    opened: st.SearchStrategy[datetime] = OPENED,
    recorded: st.SearchStrategy[datetime | None] = RECORDED,
) -> Event:
    """One row; not always one that the rules accept."""
    opened_at = draw(opened)
    row = dict.fromkeys(COLUMNS) | {
        "event_id": draw(ids),
        "tenant_id": draw(st.sampled_from(TENANTS)),
        "portfolio_id": draw(st.sampled_from([None, "p1", "P1", "north, east"])),
        "channel": draw(st.sampled_from(_CHANNELS)),
        "opened_at": opened_at,
        "answered": draw(maybe(st.booleans())),
        "escalated": draw(maybe(st.booleans())),
        "sentiment": draw(st.sampled_from([None, "positive", "neutral", "negative", "angry"])),
        "recorded_at": draw(recorded),
        "notes": draw(st.sampled_from([None, "plain", 'two\nlines, "quoted"'])),
    }
    if row["channel"] in ("call", "email"):
        row["direction"] = draw(st.sampled_from(["inbound", "outbound"]))
    for name in ("first_response_at", "resolved_at"):
        row[name] = draw(maybe(st.sampled_from(DELAYS).map(lambda delay: opened_at + delay)))
    row["tenancy_start_at"] = draw(st.sampled_from([None, None, AS_OF - AGES[2]]))
    row["tenancy_end_at"] = draw(st.sampled_from([None, None, AS_OF - AGES[5], AS_OF + LATER[3]]))
    return row


@st.composite
def near_copies(draw: st.DrawFn, rows: list[Event]) -> list[Event]:
    """Copies that differ in one value: what they say must settle which of them counts, not where they stand."""
    copies = []
    for original in draw(st.lists(st.sampled_from(rows), min_size=4, max_size=12)):
        name = draw(
            st.sampled_from(["tenant_id", "portfolio_id", "escalated", "answered", "sentiment", "tenancy_end_at"])
        )
        copies.append(original | {name: draw(events())[name]})
    return copies


@st.composite
def batches(draw: st.DrawFn) -> list[Event]:
    """Two good events, so that there is something to build, and many more that share ids, times and tenants."""
    rows = [anchor(timedelta(days=300)), anchor(AGES[6]), *draw(st.lists(events(), min_size=25, max_size=60))]
    return rows + draw(near_copies(rows[2:]))


def anchor(age: timedelta) -> Event:
    good = {"event_id": f"A{age.days}", "tenant_id": "T1", "channel": "ticket", "opened_at": AS_OF - age}
    return dict.fromkeys(COLUMNS) | good


_numbers = count()


def build_appended(folder: Path, uploads: list[tuple[str, list[Event]]]) -> bytes:
    """The bytes of features.parquet of the last of some batches that add up: (name, rows) of each."""
    base = folder / str(next(_numbers))
    store, source = EventFolder(base / "kept"), SOURCE.with_deletions()
    store.root.mkdir(parents=True)
    columns = [*columns_of_events(USE_CASE), DELETED]
    written = base / "features.parquet"
    for number, (name, rows) in enumerate(uploads):
        raw = base / str(number)
        raw.mkdir()
        (raw / "rows.csv").write_bytes(FORMATS[".csv"](rows))
        kept = find_kept(
            store,
            USE_CASE,
            columns,
            form="events",
            release=f"r{number}",
            batch=name,
            requested_at=REQUESTED_AT + timedelta(minutes=number),
            since=first_month(USE_CASE, AS_OF.replace(tzinfo=UTC)),
        )
        with open_session(base, time_zone=source.time_zone) as (connection, scratch):
            engine = DuckDbEngine(connection, scratch)
            read_events(engine, find_raw_files(raw, source, scratch), source, USE_CASE, REQUESTED_AT, kept)
            keep_parts(engine, kept)
            accept(kept)
            if number == len(uploads) - 1:
                view_all_events(engine, source, AS_OF.replace(tzinfo=UTC))
                write(connection, engine, AS_OF, written)
    return written.read_bytes()


def build(folder: Path, files: list[tuple[list[Event], str]], as_of: datetime = AS_OF) -> bytes:
    """The bytes of features.parquet of a batch: (rows, extension of the file they are written to)."""
    base = folder / str(next(_numbers))
    raw, written = base / "raw", base / "features.parquet"
    raw.mkdir(parents=True)
    for number, (rows, extension) in enumerate(files):
        if rows:
            (raw / f"{number:02d}{extension}").write_bytes(FORMATS[extension](rows))
    with open_session(base, time_zone=SOURCE.time_zone) as (connection, scratch):
        engine = DuckDbEngine(connection, scratch)
        read_events(engine, find_raw_files(raw, SOURCE, scratch), SOURCE, USE_CASE, REQUESTED_AT)
        write(connection, engine, as_of, written)
    return written.read_bytes()


def write(connection: duckdb.DuckDBPyConnection, engine: DuckDbEngine, as_of: datetime, written: Path) -> None:
    features_from_events(engine, USE_CASE, SQL_PATH.read_text(), as_of.replace(tzinfo=UTC))
    partition_of = assign_partitions(tenants_by_portfolio(connection, USE_CASE), USE_CASE, "global")
    place_tenants(connection, USE_CASE, partition_of)
    write_features(connection, USE_CASE, written)


def plain(folder: Path, rows: list[Event]) -> bytes:
    return build(folder, [(rows, ".csv")])


@given(rows=batches(), data=st.data())
def test_the_order_of_rows_does_not_matter(folder: Path, rows: list[Event], data: st.DataObject):
    as_written = plain(folder, rows)
    assert plain(folder, data.draw(st.permutations(rows))) == as_written
    assert plain(folder, rows[::-1]) == as_written


@pytest.mark.slow
@given(rows=batches(), data=st.data())
def test_neither_do_the_files_and_their_formats(folder: Path, rows: list[Event], data: st.DataObject):
    formats = data.draw(st.lists(st.sampled_from(list(FORMATS)), min_size=2, max_size=4))
    parts = [(rows[place :: len(formats)], extension) for place, extension in enumerate(formats)]
    assert build(folder, parts) == plain(folder, rows)


@pytest.mark.slow
@given(rows=batches(), data=st.data())
def test_a_row_that_stands_twice_counts_once(folder: Path, rows: list[Event], data: st.DataObject):
    again = data.draw(st.lists(st.sampled_from(rows), min_size=1, max_size=8))
    extension = data.draw(st.sampled_from(list(FORMATS)))
    assert build(folder, [(rows, ".csv"), (again, extension)]) == plain(folder, rows)


@pytest.mark.slow
@given(
    rows=batches(),
    later=st.lists(events(opened=st.sampled_from([AS_OF + delay for delay in LATER])), min_size=1, max_size=8),
)
def test_what_opens_later_is_not_known_even_under_an_id_seen_before(
    folder: Path, rows: list[Event], later: list[Event]
):
    assert plain(folder, rows + later) == plain(folder, rows)


@pytest.mark.slow
@given(
    rows=batches(),
    later=st.lists(events(recorded=st.sampled_from([AS_OF + delay for delay in LATER])), min_size=1, max_size=8),
)
def test_what_is_recorded_later_is_not_known(folder: Path, rows: list[Event], later: list[Event]):
    assert plain(folder, rows + later) == plain(folder, rows)


def _known_at(row: Event) -> datetime:
    return max(row[name] for name in ("opened_at", "first_response_at", "resolved_at") if row[name])


def _is_good(row: Event) -> bool:
    return row["sentiment"] != "angry"


@pytest.mark.slow
@given(rows=batches(), data=st.data())
def test_copies_that_know_more_later_tell_nothing(folder: Path, rows: list[Event], data: st.DataObject):
    """A copy of a known event, resolved at or after ``as_of`` and after all that is in the file already."""
    seen = [row for row in rows if _is_good(row) and (not row["recorded_at"] or row["recorded_at"] < AS_OF)]
    later = []
    for original in data.draw(st.lists(st.sampled_from(seen), min_size=1, max_size=8)):
        same = [row for row in rows if row["event_id"] == original["event_id"]]
        response = data.draw(st.sampled_from([original["first_response_at"], None, AS_OF]))
        resolution = max(AS_OF, *(_known_at(row) + INSTANT for row in (*same, original)))
        known = {"first_response_at": response, "resolved_at": resolution, "recorded_at": None}
        opened = {"opened_at": original["opened_at"], "event_id": original["event_id"]}
        later.append(data.draw(events()) | opened | known)
    assert plain(folder, rows + later) == plain(folder, rows)


@st.composite
def stories(draw: st.DrawFn) -> list[Event]:
    """All rows of one event: its only row; or the rows of an event log, no two recorded at the same moment."""
    name = draw(st.uuids().map(str))
    if draw(st.booleans()):
        return [draw(events(st.just(name), recorded=st.none()))]
    moments = draw(st.sets(st.sampled_from([AS_OF + s * delay for s in (-1, 1) for delay in LATER]), min_size=1))
    return [draw(events(st.just(name), recorded=st.just(moment))) for moment in moments]


def _as_it_stood(row: Event, moment: datetime) -> Event:
    late = {name: None for name in ("first_response_at", "resolved_at") if row[name] and row[name] >= moment}
    return row | late


@given(told=st.lists(stories(), min_size=20, max_size=40))
def test_features_of_the_past_are_those_of_the_log_as_it_stood(folder: Path, told: list[list[Event]]):
    rows = [anchor(timedelta(days=300)), anchor(AGES[6]), *(row for story in told for row in story)]
    written = [row for row in rows if row["opened_at"] < AS_OF and (row["recorded_at"] or datetime.min) < AS_OF]
    assert plain(folder, rows) == plain(folder, [_as_it_stood(row, AS_OF) for row in written])


@given(rows=batches(), data=st.data())
def test_batches_that_add_up_give_what_one_upload_gives(folder: Path, rows: list[Event], data: st.DataObject):
    """Whatever the cut and the order, with batches that come twice, and one that is corrected under its own name."""
    places = data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows)))
    cut = {f"b{place}": [row for row, at in zip(rows, places, strict=True) if at == place] for place in range(3)}
    uploads = list(cut.items())
    uploads += data.draw(st.lists(st.sampled_from(uploads), max_size=1))  # the same upload again
    uploads += [(f"{name} again", some) for name, some in data.draw(st.lists(st.sampled_from(uploads), max_size=1))]
    uploads = data.draw(st.permutations(uploads))
    wrong = data.draw(st.lists(events(), min_size=1, max_size=9))
    corrected, _ = data.draw(st.sampled_from(uploads))
    assert build_appended(folder, [(corrected, wrong), *uploads]) == plain(folder, rows)

"""Events of batches that add up: each accepted batch keeps its rows by month, and later ones are read beside them.

Nothing is ever overwritten. A batch writes a part for each month, and when it has passed every check, a mark that names
them; parts without a mark count for nothing. Of several marks of one batch (it was uploaded again) the latest counts.
"""

# ruff: noqa: S608 - names and texts in SQL are quoted by duckdb_session
from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import duckdb

from tenant_experience.errors import UserError
from tenant_experience.intake.duckdb_session import identifier, literal, sql_timestamp
from tenant_experience.intake.mapping import RowMapping
from tenant_experience.use_case.events import EVENT_ID, RECORDED_AT
from tenant_experience.use_case.schema import UseCase

# Columns of ``staged`` beside the events' own; no column of a use case can have these names.
IS_NEW, MONTH = "_is_new", "_month"
EVENT_HASH = "event_hash"
_PART = re.compile(r"month=(?P<month>\d{4}-\d{2})/(?P<writing>[a-z0-9-]+)\.\d+\.parquet")
_MARK = re.compile(
    r"accepted/(?P<form>[a-z_]+)/(?P<batch>[^/]+)/(?P<requested_at>[0-9TZ]+)\.(?P<writing>[a-z0-9-]+)\.json"
)
_FETCHED_AT_ONCE = 8


class EventStore(Protocol):
    """Where the events of one use case are kept. It travels to Spark's tasks."""

    @property
    def folders(self) -> tuple[Path, ...]:
        """What SQL must be allowed to read, because fetched files are links into it."""

    def keys(self) -> list[str]:
        """What is there."""

    def fetch(self, key: str, path: Path) -> None:
        """Brings one object into a file."""

    def put(self, path: Path, key: str) -> None:
        """Keeps a file."""


@dataclass(frozen=True)
class EventFolder:
    """Events that are kept in a folder."""

    root: Path

    @property
    def folders(self) -> tuple[Path, ...]:
        """See the protocol."""
        return (self.root,)

    def keys(self) -> list[str]:
        """See the protocol."""
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file())

    def fetch(self, key: str, path: Path) -> None:
        """A link is enough."""
        path.symlink_to((self.root / key).resolve())

    def put(self, path: Path, key: str) -> None:
        """See the protocol."""
        (self.root / key).parent.mkdir(parents=True, exist_ok=True)
        (self.root / key).write_bytes(path.read_bytes())


@dataclass(frozen=True)
class KeptEvents:
    """What was kept of other batches, and where this one keeps its own.

    Attributes:
        store: holds the parts.
        since: the beginning of the first month that counts, UTC.
        moment: SQL for the moment that says in which month a row is kept: when the event happened or, where that is
            later, when the row was recorded. So a row that corrects another one is never read later than that one, and
            is kept as long as it.
        columns: of a part.
        identity: those of them without which a row is no event.
        parts: the keys of the parts that count.
        batches: how many batches they are of.
        mark: the key of the mark of this batch.
        writing: the name of what this run of the job writes.
    """

    store: EventStore
    since: datetime
    moment: str
    columns: tuple[str, ...]
    identity: tuple[str, ...]
    parts: tuple[str, ...]
    batches: int
    mark: str
    writing: str

    @property
    def counts(self) -> str:
        """SQL: whether a row is recent enough."""
        return f"{self.moment} >= {sql_timestamp(self.since)}"

    @property
    def month(self) -> str:
        """SQL for the month of a row, a number such as 202611."""
        return f"CAST(year({self.moment}) * 100 + month({self.moment}) AS INTEGER)"

    def part(self, month: int, number: int) -> str:
        """The key of a part."""
        return f"month={month // 100:04}-{month % 100:02}/{self.writing}.{number}.parquet"


def find_kept(
    store: EventStore,
    use_case: UseCase,
    columns: Sequence[str],
    *,
    form: str,
    release: str,
    batch: str,
    requested_at: datetime,
    since: datetime,
) -> KeptEvents:
    """Finds the parts that count beside a batch: those of other batches, of the months from ``since`` on.

    Args:
        store: of the use case.
        use_case: names the columns.
        columns: of the rows that are kept.
        form: what one row is, by ``form_of``; a use case keeps rows of one form.
        release: of the batch.
        batch: its name. What was kept of an earlier upload under the same name does not count.
        requested_at: UTC.
        since: the beginning of a month, UTC.

    Raises:
        UserError: ``kept_events_differ``: rows of another form were kept.
    """
    keys = store.keys()
    marks = [mark for mark in map(_MARK.fullmatch, keys) if mark]
    if others := sorted({mark["form"] for mark in marks} - {form}):
        raise _differ(f"they are {_in_words(others[0])}, and this batch has {_in_words(form)}")
    latest: dict[str, tuple[str, str]] = {}
    for mark in marks:
        latest[mark["batch"]] = max(latest.get(mark["batch"], ("", "")), (mark["requested_at"], mark["writing"]))
    latest.pop(batch, None)
    counted = {writing for _, writing in latest.values()}
    found = [part for part in map(_PART.fullmatch, keys) if part and part["writing"] in counted]
    recent = [part for part in found if part["month"] >= f"{since:%Y-%m}"]
    writing = f"{release}-{secrets.token_hex(4)}"
    time = identifier(use_case.declared_events.time)
    return KeptEvents(
        store,
        since,
        f"greatest({time}, coalesce({RECORDED_AT}, {time}))",
        tuple(columns),
        (use_case.record_id, use_case.partition_column, use_case.declared_events.time),
        tuple(part.string for part in recent),
        len({part["writing"] for part in recent}),
        f"accepted/{form}/{batch}/{requested_at.astimezone(UTC):%Y%m%dT%H%M%SZ}.{writing}.json",
        writing,
    )


def row_types(connection: duckdb.DuckDBPyConnection, mapping: RowMapping) -> dict[str, str]:
    """The columns of ``staged`` that are rows' own, with DuckDB's types. Any connection will do."""
    raw = ", ".join(f"CAST(NULL AS VARCHAR) AS raw_{column}" for column in mapping.source.columns)
    described = connection.cursor().execute(
        f"DESCRIBE SELECT {', '.join(map(identifier, mapping.columns))} FROM ({mapping.read(f'SELECT {raw}')})"
    )
    return {name: kind for name, kind, *_ in described.fetchall()}


def kept_rows(
    connection: duckdb.DuckDBPyConnection, paths: Sequence[Path], kept: KeptEvents, mapping: RowMapping
) -> str:
    """SQL of the rows of some parts, as rows of ``staged``.

    Raises:
        UserError: ``kept_events_differ``: a column has another type than it had when a part was written, or a part
            holds something else.
    """
    types = row_types(connection, mapping)
    needed = {EVENT_ID, *kept.identity}
    found: set[str] = set()
    for path, key in zip(paths, kept.parts, strict=True):
        described = f"DESCRIBE SELECT * FROM read_parquet({literal(str(path))})"
        of_part = {name: kind for name, kind, *_ in connection.cursor().execute(described).fetchall()}
        for name, kind in types.items():
            if name not in of_part and name in needed:
                raise _differ(f"{key} has no column {name}")
            if name in of_part and of_part[name] != kind:
                raise _differ(f"column {name} is {of_part[name]} in {key} and {kind} now")
        found |= of_part.keys()
    listed = ", ".join(literal(str(path)) for path in paths)
    parts = f"read_parquet([{listed}], union_by_name = true)"
    columns = ", ".join(
        identifier(name) if name in found else f"CAST(NULL AS {types[name]}) AS {identifier(name)}"
        for name in types
        if name != EVENT_HASH
    )
    # DuckDB may hash otherwise in another version, so the hash is not kept.
    hashed = f"{mapping.settled[EVENT_HASH]} AS {EVENT_HASH}"
    return (
        f"SELECT {', '.join(map(identifier, types))}, -1 AS file, CAST(NULL AS SMALLINT) AS broken_rule, "
        f"false AS {IS_NEW} FROM (SELECT *, {hashed} FROM (SELECT {columns} FROM {parts})) WHERE {kept.counts}"
    )


def fetch_parts(kept: KeptEvents, scratch: Path) -> list[Path]:
    """Brings the parts that count to this machine."""
    paths = [scratch / f"kept-{number:06d}.parquet" for number in range(len(kept.parts))]
    with ThreadPoolExecutor(_FETCHED_AT_ONCE) as pool:
        list(pool.map(kept.store.fetch, kept.parts, paths))
    return paths


@contextmanager
def damaged_parts(kept: KeptEvents | None) -> Iterator[None]:
    """Refuses a part that cannot be read by its key, whenever that is seen: a column is read when it is needed.

    Args:
        kept: what is read; None: nothing.

    Raises:
        UserError: ``kept_events_damaged``.
    """
    try:
        yield
    except (duckdb.Error, UserError) as error:
        by_duckdb = isinstance(error, duckdb.Error) or isinstance(error.__cause__, duckdb.Error)
        damaged = _find_damaged(kept) if kept is not None and by_duckdb else None
        if damaged is None:
            raise
        raise UserError(
            f"{damaged}, a part of the events that earlier batches of this use case kept, cannot be read: restore an "
            "earlier version of this object in the folder of the use case below events/ in the data bucket, or empty "
            "that folder, and upload the whole log once more",
            code="kept_events_damaged",
        ) from error


def _find_damaged(kept: KeptEvents) -> str | None:
    """The key of the first part that cannot be read. DuckDB's own message does not always name the file."""
    for key in kept.parts:
        with TemporaryDirectory() as folder, duckdb.connect() as connection:
            path = Path(folder) / "part.parquet"
            kept.store.fetch(key, path)
            try:
                connection.execute(f"SELECT sum(hash(COLUMNS(*))) FROM read_parquet({literal(str(path))})").fetchall()
            except duckdb.Error:
                return key
    return None


def new_rows(kept: KeptEvents, rows: str, repeated_hashes: str) -> str:
    """SQL of what a batch keeps: each of its rows once, with its month.

    Args:
        kept: says which columns.
        rows: the table of all rows.
        repeated_hashes: the table of the hashes that several of them have.
    """
    columns = f"{', '.join(map(identifier, kept.columns))}, {kept.month} AS {MONTH}"
    repeated = f"(SELECT {EVENT_HASH} AS _repeated FROM {repeated_hashes})"
    good = f"broken_rule IS NULL AND {IS_NEW}"
    return (
        f"SELECT {columns} FROM {rows} LEFT JOIN {repeated} ON _repeated = {EVENT_HASH} "
        f"WHERE {good} AND _repeated IS NULL UNION ALL "
        f"SELECT DISTINCT {columns} FROM {rows} WHERE {good} AND {EVENT_HASH} IN (SELECT _repeated FROM {repeated})"
    )


def form_of(kind: str, *, hidden: bool, caseless: bool) -> str:
    """What one row is, as marks say it: a row of another form names the same record otherwise.

    Args:
        kind: of the source.
        hidden: whether pseudonyms replace ids.
        caseless: whether ids that differ only in upper and lower case are one.
    """
    return "_".join([kind, *(["hidden"] if hidden else []), *(["caseless"] if caseless else [])])


def _in_words(form: str) -> str:
    kind, *how = form.split("_")
    case = " of record_id_case: insensitive" if "caseless" in how else ""
    return f"rows of kind: {kind} with {'pseudonyms' if 'hidden' in how else 'ids'}{case}"


def _differ(what: str) -> UserError:
    return UserError(
        f"the events that earlier batches of this use case kept cannot be read beside this batch: {what}. Empty the "
        "folder of the use case below events/ in the data bucket, and upload the whole log once more with "
        '"mode": "append", or send all of it in a batch without that key',
        code="kept_events_differ",
    )

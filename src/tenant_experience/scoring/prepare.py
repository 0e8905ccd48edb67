"""From what is asked for to the rows that models answer: what the PrepareScoring job does.

Rows carry ids alone, features, or events; or nothing is uploaded, and everybody is answered whose features are live.
Rows are read and features computed as for a release, but no gate refuses a batch: a row that cannot be answered goes to
the errors, and the others are answered.
"""

# ruff: noqa: S608 - names in SQL are quoted, as are paths
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from tenant_experience.data_layout import (
    ERRORS_FILE,
    FEATURES_FILE,
    GLOBAL_PARTITION,
    PLAN_FILE,
    SIDE_COLUMNS,
    partition_slug,
)
from tenant_experience.data_quality.report import DataQuality
from tenant_experience.features.contract import quarantine_features
from tenant_experience.features.partitions import PartitionSize
from tenant_experience.features.sql import FEATURES_TABLE, place_tenants, tenants_by_portfolio, write_features
from tenant_experience.intake.duckdb_session import count, identifier, literal, open_session
from tenant_experience.intake.engine import DuckDbEngine
from tenant_experience.intake.files import find_raw_files
from tenant_experience.intake.table import read_table
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.jobs.partition_runs import read_partitions
from tenant_experience.pipeline.batch import Batch, Folders
from tenant_experience.pipeline.build_features import read_batch
from tenant_experience.pipeline.computing import compute_features
from tenant_experience.pipeline.live_release import check_live_release
from tenant_experience.pseudonyms import Pseudonyms
from tenant_experience.release.release import LiveRelease, PublishedModel
from tenant_experience.scoring.manifest import ScoringManifest, ids_source
from tenant_experience.scoring.plan import rest_item, size_transform, transformed
from tenant_experience.scoring.served_rows import ROWS_AT_ONCE, read_rows
from tenant_experience.use_case.manifest import Manifest
from tenant_experience.use_case.schema import UseCase, load_use_case
from tenant_experience.use_case.served import ServedUseCase

# What a 32-bit number holds, as the container checks it.
_LARGEST = "3.4e38"
_SAMPLE = 1_000


@dataclass(frozen=True)
class LiveFeatures:
    """A ``features.parquet`` that the online store was fed from.

    Attributes:
        path: the file.
        without: slugs of the partitions that were not fed from it.
        again: whether it took the place of everything that was served before it, by a roll-back.
    """

    path: Path
    without: Sequence[str] = ()
    again: bool = False


@dataclass(frozen=True)
class ScoringFolders:
    """What the job reads and writes.

    Attributes:
        raw: the uploaded files, without a manifest; it is missing when what is live is answered.
        use_case: the use case.
        previous: the ``features/`` of the live release.
        live: what the online store was fed from, the latest last.
        prepared: the output.
    """

    raw: Path
    use_case: Path
    previous: Path
    live: Sequence[LiveFeatures]
    prepared: Path


@dataclass(frozen=True)
class Asked:
    """What is to be answered.

    Attributes:
        run: the run's id.
        use_case: its name.
        scored_at: the moment of the trigger, UTC.
        manifest: of the batch; None when what is live is answered.
        live: the release that answers.
        transform_rows: how many rows a model must have to get a batch transform; 0 for none.
    """

    run: str
    use_case: str
    scored_at: datetime
    manifest: ScoringManifest | None
    live: LiveRelease
    transform_rows: int = 0


def prepare(
    folders: ScoringFolders, asked: Asked, served: ServedUseCase, *, pseudonym_key: bytes | None = None
) -> Outcome:
    """Writes the rows to answer, the errors, the requests of batch transforms, and the plan.

    Raises:
        UserError: a file cannot be read at all, or a setting is wrong.
    """
    use_case = load_use_case(folders.use_case)
    manifest = asked.manifest
    zone = "UTC"
    batch = None
    if manifest is not None and not manifest.has_ids_alone:
        given = Manifest(source=manifest.source, as_of=manifest.as_of, train=False)
        batch = Batch.open(_folders(folders), asked.use_case, asked.scored_at, manifest=given, file=manifest.file)
        use_case, zone = batch.use_case, batch.source.time_zone
    places = (folders.raw, folders.previous, folders.prepared, *(fed.path.parent for fed in folders.live))
    with open_session(*places, time_zone=zone) as (connection, scratch):
        pseudonyms = None if pseudonym_key is None else _pseudonyms(pseudonym_key, use_case)
        engine = DuckDbEngine(connection, scratch, pseudonyms)
        if manifest is None:
            counts = _everybody(connection, folders.live, use_case)
        elif batch is None:
            counts = _by_id(engine, folders, use_case, scratch)
        else:
            counts = _computed(engine, batch, folders, scratch)
        _sort_out(connection, use_case, asked.live)
        counts |= _write(connection, use_case, folders.prepared)
        slugs = _rows_by_slug(connection)
    items = _plan(folders.prepared, slugs, asked, served)
    plan = {"items": items, "csv": bool(manifest and manifest.csv), "is_kept": manifest is None}
    (folders.prepared / PLAN_FILE).write_text(json.dumps(plan | {"counts": counts}, indent=2) + "\n")
    # The state machine reads this, and no state of it holds more than 256 KiB.
    jobs = [{name: value for name, value in item.items() if name not in ("models", "partitions")} for item in items]
    return Outcome.ok(run=asked.run, answered_by=asked.live.release, plan=plan | {"items": jobs}, **counts)


def _folders(folders: ScoringFolders) -> Folders:
    """As a release names them; quarantine and reports have no place of their own here."""
    out = folders.prepared
    return Folders(folders.raw, folders.use_case, folders.previous, out, out, out)


def _pseudonyms(key: bytes, use_case: UseCase) -> Pseudonyms:
    return Pseudonyms(key, use_case.record_id, use_case.record_id_case)


def _everybody(
    connection: duckdb.DuckDBPyConnection, live: Sequence[LiveFeatures], use_case: UseCase
) -> dict[str, int]:
    """Fills ``wanted`` with the rows that are live."""
    connection.execute(f"CREATE TABLE wanted AS {_live_rows(live, use_case)}")
    _no_quarantine(connection)
    rows = count(connection, "SELECT count(*) FROM wanted")
    return {"rows": rows, "quarantined": 0, "filtered": 0, "repeated": 0}


def _by_id(engine: DuckDbEngine, folders: ScoringFolders, use_case: UseCase, scratch: Path) -> dict[str, int]:
    """Fills ``wanted`` with the live rows of the ids that are asked for, and ``lacking`` with the ids without one."""
    source, connection, key = ids_source(use_case), engine.connection, identifier(use_case.record_id)
    files = find_raw_files(folders.raw, source, scratch)
    one_row_each = use_case.model_copy(update={"examples": "one"})  # an id alone has no time of its own
    counted, repeated = read_table(engine, files, source, one_row_each)
    connection.execute(f"CREATE TABLE asked AS SELECT {key} FROM ready_made")
    connection.execute(
        f"CREATE TABLE wanted AS FROM ({_live_rows(folders.live, use_case)}) SEMI JOIN asked USING ({key})"
    )
    connection.execute(
        f"CREATE TABLE lacking AS SELECT {key}, 'no_features' AS reason, '' AS column_name "
        f"FROM asked ANTI JOIN wanted USING ({key})"
    )
    return {
        "rows": sum(file.rows for file in counted),
        "quarantined": sum(file.quarantined for file in counted),
        "filtered": 0,
        "repeated": repeated.repeated_rows + repeated.conflicting_rows,
    }


def _computed(engine: DuckDbEngine, batch: Batch, folders: ScoringFolders, scratch: Path) -> dict[str, int]:
    """Fills ``wanted`` with features that are read, or computed from events, as for a release."""
    connection, given, quality = engine.connection, _folders(folders), DataQuality(batch.manifest.source or "")
    check_live_release(connection, batch, folders.previous)
    files = find_raw_files(folders.raw, batch.source, scratch, batch.chosen)
    intake = read_batch(engine, batch, files, given, scratch, quality, scores=True)
    refused = compute_features(engine, batch, given, learns=False)
    portfolios = tenants_by_portfolio(connection, batch.use_case)
    place_tenants(connection, batch.use_case, _places(portfolios, folders.previous))
    path = scratch / FEATURES_FILE
    write_features(connection, batch.use_case, path)
    connection.execute(f"CREATE TABLE wanted AS {_live_rows([LiveFeatures(path)], batch.use_case)}")
    table = quality.table
    return {
        "rows": intake.rows,
        "quarantined": intake.quarantined + (_sort_out_refused(connection, batch.use_case) if refused else 0),
        "filtered": intake.filtered,
        "repeated": table.repeated_rows + table.conflicting_rows if table else 0,
    }


def _sort_out_refused(connection: duckdb.DuckDBPyConnection, use_case: UseCase) -> int:
    """Fills ``lacking`` with the records of which ``features.sql`` gave nothing but impossible values.

    Returns:
        How many other rows it gave such values, of records that another row answers for; they join the quarantine.
    """
    key, refused = identifier(use_case.record_id), f"{FEATURES_TABLE}_refused"
    connection.execute(
        f"CREATE TABLE lacking AS SELECT record_id AS {key}, reason, column_name FROM {refused} "
        f"WHERE record_id IS NULL OR record_id NOT IN (SELECT {key} FROM wanted) "
        "QUALIFY row_number() OVER (PARTITION BY record_id ORDER BY _row) = 1"
    )
    connection.execute(f"DELETE FROM {refused} WHERE record_id IS NULL OR record_id IN (SELECT {key} FROM lacking)")
    quarantine_features(connection, use_case, FEATURES_TABLE)
    return count(connection, f"SELECT count(*) FROM {refused}")


def _places(portfolios: Mapping[str, tuple[int, int]], previous: Path) -> dict[str, PartitionSize]:
    """Portfolio -> the partition that answers, as in the live release; that it has no model is seen later."""
    trained = {partition.partition for partition in read_partitions(previous)} - {GLOBAL_PARTITION}
    return {
        name: PartitionSize(name, partition_slug(name), "local", tenants, 0)
        if name in trained
        else PartitionSize(GLOBAL_PARTITION, partition_slug(GLOBAL_PARTITION), "global", tenants, 0)
        for name, (tenants, _) in portfolios.items()
    }


def _live_rows(files: Sequence[LiveFeatures], use_case: UseCase) -> str:
    """SQL: the rows of ``features.parquet`` files, of each record those of the latest moment, as the online store has.

    Of a record that was served again by a roll-back, nothing from before counts. Features that a file lacks, because
    the use case was changed since, are null.
    """
    tables = [
        f"SELECT *, {place} AS _place, {each.again} AS _again FROM read_parquet({literal(str(each.path))})"
        f"{_except(each.without)}"
        for place, each in enumerate(files)
    ]
    unknown = [f"CAST(NULL AS {_type(name, use_case)}) AS {identifier(name)}" for name in use_case.features]
    own = (use_case.record_id, use_case.partition_column, "partition_slug", "as_of", "history")
    names = dict.fromkeys((*own, *use_case.features, *SIDE_COLUMNS))
    columns = ", ".join(map(identifier, names))
    key = f"PARTITION BY {identifier(use_case.record_id)}"
    rows = " UNION ALL BY NAME ".join([*tables, f"SELECT {', '.join(unknown)} WHERE false"])
    if any(each.again for each in files):
        rows = f"SELECT * FROM ({rows}) QUALIFY _place >= coalesce(max(_place) FILTER (WHERE _again) OVER ({key}), 0)"
    last = f"QUALIFY row_number() OVER ({key} ORDER BY as_of DESC, _place DESC) = 1"
    return f"SELECT {columns} FROM ({rows}) {last if len(files) > 1 else ''}"


def _except(slugs: Sequence[str]) -> str:
    return f" WHERE partition_slug NOT IN ({', '.join(map(literal, slugs))})" if slugs else ""


def _type(name: str, use_case: UseCase) -> str:
    return "VARCHAR" if name in use_case.categories else "DOUBLE"


def _no_quarantine(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("CREATE TABLE quarantine (reason VARCHAR, column_name VARCHAR, file VARCHAR, line BIGINT)")


def _sort_out(connection: duckdb.DuckDBPyConnection, use_case: UseCase, live: LiveRelease) -> None:
    """Fills ``settled``: the wanted rows, each with the reason why no model can be asked, or null."""
    numbers = [name for name in use_case.features if name not in use_case.categories]
    too_large = " OR ".join(f"abs({identifier(name)}) >= {_LARGEST}" for name in numbers) or "false"
    models = ", ".join(literal(slug) for slug in live.models)
    lacks_model = "false" if GLOBAL_PARTITION in live.models else f"partition_slug NOT IN ({models or literal('')})"
    connection.execute(
        "CREATE TABLE settled AS SELECT *, CASE WHEN history = 'insufficient' THEN NULL "
        f"WHEN coalesce({too_large}, false) THEN 'number_too_large' "
        f"WHEN coalesce(exposure_days <= 0 OR exposure_days >= {_LARGEST}, false) THEN 'impossible_exposure' "
        f"WHEN {lacks_model} THEN 'no_live_model' END AS problem FROM wanted"
    )


def _write(connection: duckdb.DuckDBPyConnection, use_case: UseCase, folder: Path) -> dict[str, int]:
    """Writes the rows that get an answer, by partition, and the errors; counts both."""
    key, portfolio = identifier(use_case.record_id), identifier(use_case.partition_column)
    rows, errors = folder / FEATURES_FILE, folder / ERRORS_FILE
    connection.execute(
        f"COPY (SELECT * EXCLUDE (problem) FROM settled WHERE problem IS NULL ORDER BY partition_slug, {key}) "
        f"TO {literal(str(rows))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROWS_AT_ONCE})"
    )
    has_lacking = count(connection, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'lacking'")
    lacking = (
        f"UNION ALL SELECT CAST({key} AS VARCHAR), NULL, reason, column_name, NULL, NULL FROM lacking"
        if has_lacking
        else ""
    )
    connection.execute(
        f"COPY (SELECT * FROM (SELECT CAST({key} AS VARCHAR) AS record_id, CAST({portfolio} AS VARCHAR) AS "
        "portfolio_id, problem AS reason, '' AS column_name, CAST(NULL AS VARCHAR) AS file, CAST(NULL AS BIGINT) AS "
        f"line FROM settled WHERE problem IS NOT NULL {lacking} UNION ALL SELECT NULL, NULL, reason, column_name, "
        f"file, line FROM quarantine) ORDER BY file, line, record_id) TO {literal(str(errors))} (FORMAT parquet)"
    )
    answered = count(connection, "SELECT count(*) FROM settled WHERE problem IS NULL")
    unanswered = count(connection, "SELECT count(*) FROM settled WHERE problem IS NOT NULL")
    unanswered += count(connection, "SELECT count(*) FROM lacking") if has_lacking else 0
    return {"records": answered + unanswered, "to_answer": answered, "errors": unanswered}


def _rows_by_slug(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Partition -> rows that a model answers for."""
    found = connection.execute(
        "SELECT partition_slug, count(*) FROM settled WHERE problem IS NULL AND history <> 'insufficient' "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return {str(slug): int(rows) for slug, rows in found}


def _plan(folder: Path, slugs: Mapping[str, int], asked: Asked, served: ServedUseCase) -> list[dict[str, Any]]:
    rows: dict[PublishedModel, int] = {}
    partitions: dict[PublishedModel, list[str]] = {}
    for slug, number in slugs.items():
        model = asked.live.model_for(slug)
        if model is None:
            raise LookupError(f"partition {slug} has no model, but its rows were not sorted out")
        rows[model] = rows.get(model, 0) + number
        partitions.setdefault(model, []).append(slug)
    big = transformed(rows, asked.transform_rows)
    items = [
        _transform(folder, model, partitions[model], rows[model], served, number) for number, model in enumerate(big)
    ]
    rest = {model: partitions[model] for model in rows if model not in big}
    return [*items, *([rest_item(rest, sum(rows[model] for model in rest))] if rest else [])]


def _transform(
    folder: Path, model: PublishedModel, slugs: Sequence[str], rows: int, served: ServedUseCase, number: int
) -> dict[str, Any]:
    """Writes the requests of one batch transform, in as many files as it has work for."""
    source = folder / FEATURES_FILE
    sample = [line for chunk in read_rows(source, served, slugs) for line in chunk.take_first(_SAMPLE).json_lines()]
    size = size_transform(rows, sum(map(len, sample)) / max(1, len(sample)))
    target = folder / "requests" / model.slug
    target.mkdir(parents=True, exist_ok=True)
    files = [(target / f"part-{place:05d}.jsonl").open("wb") for place in range(size.files)]
    try:
        place = 0
        for chunk in read_rows(source, served, slugs):
            for line in chunk.take(chunk.may_be_predicted).json_lines():
                files[place % size.files].write(line + b"\n")
                place += 1
    finally:
        for file in files:
            file.close()
    # Names of jobs have at most 63 characters.
    name = f"{model.slug[:18].strip('-')}-{number}"
    asked = {"kind": "transform", "name": name, "rows": rows, "partitions": list(slugs), "key": model.key}
    return asked | asdict(model) | asdict(size)

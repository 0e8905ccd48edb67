"""The rows of a batch in Spark."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from tenant_experience.data_layout import ml_root
from tenant_experience.errors import UserError
from tenant_experience.intake.engine import recent_rows
from tenant_experience.intake.formats import RawFile
from tenant_experience.intake.kept_events import MONTH, KeptEvents
from tenant_experience.intake.mapping import RowMapping
from tenant_experience.intake.quarantine import create_quarantine
from tenant_experience.intake.staging import FileCount
from tenant_experience.pseudonyms import Pseudonyms
from tenant_experience.spark._dialect import to_spark
from tenant_experience.spark._intake import Intake, add_quarantine, counted_files, on_any_instance, staged_schema
from tenant_experience.spark._kept import WRITTEN, KeptRows, kept_schema, write_parts


class SparkEngine:
    """A :class:`ProcessingEngine`: rows stay on the disks of the instances, results come back as Arrow.

    Args:
        spark: a session whose Python workers can import this package.
        connection: DuckDB in the driver.
        pseudonyms: replaces the ids in the rows; None when the rows hold the ids themselves.
    """

    def __init__(
        self, spark: SparkSession, connection: duckdb.DuckDBPyConnection, pseudonyms: Pseudonyms | None = None
    ) -> None:
        self.connection = connection
        self.pseudonyms = pseudonyms
        self._spark = spark
        self._kept: dict[str, DataFrame] = {}

    def stage(self, files: Sequence[RawFile], mapping: RowMapping) -> list[FileCount]:
        """One task for each file. Rows and notes are one frame, kept on disk, so that every file is read once."""
        create_quarantine(self.connection, list(mapping.source.columns))
        schema = staged_schema(self.connection, mapping)
        here = [on_any_instance(file, ml_root()) for file in files]
        intake = Intake(here, mapping, schema, self.pseudonyms)
        numbers = self._spark.range(0, len(files), 1, numPartitions=len(files))
        read = numbers.mapInArrow(intake.read, from_arrow_schema(schema, prefer_timestamp_ntz=True))
        read.persist(StorageLevel.DISK_ONLY)
        notes = read.where("_note IS NOT NULL").select("_note", "_content").toArrow()
        counts = counted_files(notes)
        add_quarantine(self.connection, notes)
        read.where("_note IS NULL").drop("_note", "_content").createOrReplaceTempView("staged")
        return counts

    def add_kept(self, kept: KeptEvents, mapping: RowMapping) -> None:
        """See the protocol. One task for each part, which fetches it; their rows are kept on disk."""
        self._spark.table("staged").createOrReplaceTempView("read_now")
        rows = self._frame(recent_rows("read_now", kept))
        if kept.parts:
            schema = kept_schema(self.connection, mapping)
            numbers = self._spark.range(0, len(kept.parts), 1, numPartitions=len(kept.parts))
            reading = KeptRows(kept, mapping, schema)
            read = numbers.mapInArrow(reading.read, from_arrow_schema(schema, prefer_timestamp_ntz=True))
            rows = rows.unionByName(read.persist(StorageLevel.DISK_ONLY))
        rows.createOrReplaceTempView("staged")

    def keep_parts(self, kept: KeptEvents, sql: str) -> None:
        """See the protocol. The rows of a month are written by one task."""
        self._frame(sql).repartition(MONTH).mapInArrow(partial(write_parts, kept), WRITTEN).collect()

    def view(self, name: str, sql: str) -> None:
        """See the protocol."""
        self._frame(sql).createOrReplaceTempView(name)

    def keep(self, name: str, sql: str) -> None:
        """Keeps the rows on disk, and counts them now because Spark plans joins better when it knows their size."""
        frame = self._frame(sql).persist(StorageLevel.DISK_ONLY)
        frame.count()
        frame.createOrReplaceTempView(name)
        if name in self._kept:
            self._kept[name].unpersist()
        self._kept[name] = frame

    def fetch(self, name: str, sql: str) -> None:
        """Fetches the rows through Arrow."""
        rows: pa.Table = self._frame(sql).toArrow()
        with self.connection.cursor() as cursor:
            cursor.register("fetched", rows)
            cursor.execute(f"CREATE TABLE {name} AS FROM fetched")

    def _frame(self, sql: str) -> DataFrame:
        translated = to_spark(sql)
        try:
            return self._spark.sql(translated)
        except AnalysisException as error:
            raise UserError(f"Spark cannot run this SQL: {error.getMessage()}", code="invalid_sql") from error


def open_spark_engine(
    spark: SparkSession, connection: duckdb.DuckDBPyConnection, _scratch: Path, pseudonyms: Pseudonyms | None
) -> SparkEngine:
    """An engine for one batch; it spills to Spark's own folders."""
    return SparkEngine(spark, connection, pseudonyms)

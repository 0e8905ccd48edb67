"""Describes the features of a release beside those of the release before, for ``data_quality.json``; no rows.

Only one column of each release is in memory at a time, so a million tenants need some tens of megabytes.
"""

# ruff: noqa: S608 - names in SQL come from validated settings
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import duckdb
import numpy as np

from tenant_experience.data_layout import CENSORED, SIDE_COLUMNS
from tenant_experience.data_quality._category_shift import CategoryDescription, Counts, describe_category
from tenant_experience.data_quality._level import Column
from tenant_experience.data_quality._shift import Histogram, NumberShift, histogram, shift
from tenant_experience.data_quality.comparison import PREVIOUS_EXAMPLES, PREVIOUS_TABLE
from tenant_experience.errors import UserError
from tenant_experience.features.sql import FEATURES_TABLE, has_examples, rows_to_learn_from
from tenant_experience.intake.duckdb_session import count, identifier, literal, single
from tenant_experience.statistics.transforms import Transform
from tenant_experience.use_case.manifest import without_training
from tenant_experience.use_case.schema import UseCase

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_SIDE_TRANSFORMS: dict[str, Transform] = {"exposure_days": "none", "open_count": "log1p", "oldest_open_hr": "log1p"}


@dataclass(frozen=True)
class TenantFigures:
    """The tenants that have features.

    Attributes:
        tenants: how many there are.
        may_train: how many a model may be trained on, or have rows that a model may learn from.
        tenants_by_history: sufficient, provisional, insufficient.
        portfolios: how many there are.
        left_out: features that have one value, or none, for all tenants that may train, each with the reason; none
            where no tenant may.
        examples: how many rows models may learn from, where a tenant may have several.
    """

    tenants: int
    may_train: int
    tenants_by_history: dict[str, int]
    portfolios: int
    left_out: dict[str, str]
    examples: int | None = None

    def document(self) -> dict[str, Any]:
        """The figures as data_quality.json has them."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class NumberDescription:
    """One feature that is a number.

    Attributes:
        kind: tells it from a category.
        null_share: share of tenants without a value; None without tenants.
        transform: of the axis of its histogram.
        quantiles: by their probability; None when nobody has a value.
        histogram: None when nobody has a value.
        shift: since the release before; None without one.
    """

    kind: Literal["number"]
    null_share: float | None
    transform: Transform
    quantiles: dict[str, float | None]
    histogram: Histogram | None
    shift: NumberShift | None


Description = NumberDescription | CategoryDescription


@dataclass(frozen=True)
class CutOff:
    """The examples of one moment of the past, where labels are what happened afterwards.

    Attributes:
        cut_off: ISO 8601, UTC.
        examples: how many there are.
        share: of these, with classes those of the positive class, and else those that are censored.
    """

    cut_off: str
    examples: int
    share: float


@dataclass(frozen=True)
class LabelDescription:
    """The column that labels come from, described as a feature is; of labels from later events also each cut-off."""

    column: str
    described: Description
    cut_offs: tuple[CutOff, ...] = ()
    share_of: str | None = None

    def document(self) -> dict[str, Any]:
        """The labels as data_quality.json has them."""
        later = {"cut_offs": [asdict(each) for each in self.cut_offs], "share_of": self.share_of}
        return {"column": self.column, **asdict(self.described), **(later if self.cut_offs else {})}


def describe_tenants(connection: duckdb.DuckDBPyConnection, use_case: UseCase) -> TenantFigures:
    """Counts the tenants, and finds the features in which those that may train do not differ.

    Args:
        connection: holds ``features``, and ``examples`` where a tenant may have several rows to learn from.
        use_case: names the columns.
    """
    learned = rows_to_learn_from(connection)
    trainable = "count(*)" if learned == FEATURES_TABLE else f"count(DISTINCT {identifier(use_case.record_id)})"
    may_train = count(connection, f"SELECT {trainable} FROM {learned} WHERE may_train")
    by_history = connection.execute(f"SELECT history, count(*) FROM {FEATURES_TABLE} GROUP BY 1 ORDER BY 1").fetchall()
    return TenantFigures(
        tenants=count(connection, f"SELECT count(*) FROM {FEATURES_TABLE}"),
        may_train=may_train,
        tenants_by_history=dict(by_history),
        portfolios=count(
            connection, f"SELECT count(DISTINCT {identifier(use_case.partition_column)}) FROM {FEATURES_TABLE}"
        ),
        left_out=_left_out(connection, use_case, learned) if may_train else {},
        examples=count(connection, f"SELECT count(*) FILTER (may_train) FROM {learned}")
        if has_examples(connection)
        else None,
    )


def _left_out(connection: duckdb.DuckDBPyConnection, use_case: UseCase, learned: str) -> dict[str, str]:
    reasons, record = {}, use_case.words.record
    for name in use_case.features:
        column = identifier(name)
        least, most = single(connection, f"SELECT min({column}), max({column}) FROM {learned} WHERE may_train")
        if least is None:
            reasons[name] = f"null for every {record} that may train"
        elif least == most:
            value = least if isinstance(least, str) else f"{least:g}"
            reasons[name] = f"{value} for every {record} that may train"
    return reasons


def describe_features(
    connection: duckdb.DuckDBPyConnection, use_case: UseCase, *, compared: bool
) -> dict[str, Description]:
    """Describes each feature: the share of nulls, the distribution of the other values, and how far it has moved.

    Args:
        connection: holds ``features`` and, when ``compared``, ``previous_features``.
        use_case: names the columns.
        compared: whether there is a release to compare with; a feature that it lacks has no ``shift``.
    """
    names = (*use_case.features, *SIDE_COLUMNS)
    releases = _Releases.of(connection, use_case, names if compared else ())
    return {
        name: releases.describe_category(name)
        if name in use_case.categories
        else releases.describe_number(name, _transform(use_case, name))
        for name in names
    }


def describe_labels(connection: duckdb.DuckDBPyConnection, use_case: UseCase, *, compared: bool) -> LabelDescription:
    """Describes labels that come from a column as a feature is described: classes as a category, else a number.

    Where a tenant may have several rows to learn from, the labels are those of all these rows, in both releases.

    Args:
        connection: holds ``features`` and, when ``compared``, ``previous_features``, or ``examples`` and
            ``previous_examples``.
        use_case: ``labels.from: column``.
        compared: whether there is a release to compare with.

    Raises:
        UserError: ``unknown_class``, or ``missing_class`` when no tenant has one of the classes.
    """
    labels = use_case.labels
    column = str(labels.column)
    learned = rows_to_learn_from(connection)
    previous = PREVIOUS_TABLE if learned == FEATURES_TABLE else PREVIOUS_EXAMPLES
    is_there = compared and count(
        connection, f"SELECT count(*) FROM duckdb_views() WHERE view_name = {literal(previous)}"
    )
    releases = _Releases.of(connection, use_case, [column] if is_there else (), (learned, previous))
    later = describe_cut_offs(connection, use_case)
    share_of = (labels.positive or CENSORED) if later else None
    if labels.classes is None:
        return LabelDescription(column, releases.describe_number(column, "none"), later, share_of)
    found = _counts(connection, learned, column)
    labels.check_classes(value for value in found if value is not None)
    missing = [name for name in labels.classes if name not in found]
    if missing and set(found) - {None}:
        raise UserError(
            f"no {use_case.words.record} has the class {missing[0]!r} in column {column!r}, so no model can "
            "learn it. Send an export "
            f"that holds all of labels.classes, or correct how the source maps them. {without_training()}",
            code="missing_class",
        )
    return LabelDescription(column, releases.describe_category(column, of_known=True), later, share_of)


def describe_cut_offs(connection: duckdb.DuckDBPyConnection, use_case: UseCase) -> tuple[CutOff, ...]:
    """The cut-offs of labels from later events, the latest first; none for other labels."""
    labels = use_case.labels
    if labels.from_ != "events" or not has_examples(connection):
        return ()
    flag = f"{identifier(str(labels.column))} = {literal(labels.positive)}" if labels.positive else CENSORED
    rows = connection.execute(
        f"SELECT strftime(as_of, '%Y-%m-%dT%H:%M:%SZ'), count(*), avg(CAST({flag} AS DOUBLE)) "
        f"FROM {rows_to_learn_from(connection)} GROUP BY 1 ORDER BY 1 DESC"
    ).fetchall()
    return tuple(CutOff(*row) for row in rows)


def _comparable(connection: duckdb.DuckDBPyConnection, names: Iterable[str], tables: tuple[str, str]) -> set[str]:
    """Columns that both releases have, as texts in both or as numbers in both."""
    texts = [
        {str(name): kind == "VARCHAR" for name, kind, *_ in connection.execute(f"DESCRIBE {table}").fetchall()}
        for table in tables
    ]
    return {name for name in names if name in texts[1] and texts[0][name] == texts[1][name]}


def _transform(use_case: UseCase, name: str) -> Transform:
    return use_case.features[name].transform if name in use_case.features else _SIDE_TRANSFORMS[name]


@dataclass(frozen=True)
class _Releases:
    """The tables ``features`` and ``previous_features``, or those of rows to learn from.

    Attributes:
        connection: holds them.
        portfolio_column: of both.
        portfolios: those of both, by name; none when nothing is compared.
        comparable: the columns that are compared.
        comparisons: how many columns are looked at in a release, so that chance has as many opportunities.
        tables: of this release and of the one before.
    """

    connection: duckdb.DuckDBPyConnection
    portfolio_column: str
    portfolios: list[str]
    comparable: set[str]
    comparisons: int
    tables: tuple[str, str]

    @classmethod
    def of(
        cls,
        connection: duckdb.DuckDBPyConnection,
        use_case: UseCase,
        compared: Iterable[str],
        tables: tuple[str, str] = (FEATURES_TABLE, PREVIOUS_TABLE),
    ) -> _Releases:
        """The columns ``compared`` are compared, as far as both releases have them."""
        comparable, column = (
            _comparable(connection, compared, tables) if compared else set(),
            identifier(use_case.partition_column),
        )
        rows = connection.execute(f"{_portfolios(column, tables)} ORDER BY 1").fetchall() if comparable else []
        comparisons = len(use_case.features) + (use_case.labels.column is not None)
        return cls(connection, column, [str(name) for (name,) in rows], comparable, comparisons, tables)

    def describe_number(self, name: str, transform: Transform) -> NumberDescription:
        """One column of numbers."""
        now = self._column(self.tables[0], name)
        then = self._column(self.tables[1], name) if name in self.comparable else None
        known = now.values[~np.isnan(now.values)]
        quantiles = np.quantile(known, QUANTILES).tolist() if known.size else [None] * len(QUANTILES)
        return NumberDescription(
            kind="number",
            null_share=1 - known.size / now.values.size if now.values.size else None,
            transform=transform,
            quantiles={str(q): value for q, value in zip(QUANTILES, quantiles, strict=True)},
            histogram=histogram(now.values, then and then.values, transform),
            shift=shift(then, now, self.portfolios, transform, self.comparisons)
            if then and then.values.size and now.values.size
            else None,
        )

    def describe_category(self, name: str, *, of_known: bool = False) -> CategoryDescription:
        """One category; with ``of_known``, only tenants that have a value count in how far it has moved."""
        then = _counts(self.connection, self.tables[1], name) if name in self.comparable else None
        now = _counts(self.connection, self.tables[0], name)
        return describe_category(now, then, self.comparisons, of_known=of_known)

    def _column(self, table: str, name: str) -> Column:
        place, column = "0", identifier(name)
        if name in self.comparable:
            place = "placed.place"
            portfolios = _portfolios(self.portfolio_column, self.tables)
            places = f"SELECT portfolio, row_number() OVER (ORDER BY portfolio) - 1 AS place FROM ({portfolios})"
            column = f"given.{column}"
            table = f"{table} AS given JOIN ({places}) AS placed ON placed.portfolio = given.{self.portfolio_column}"
        fetched = self.connection.execute(
            f"SELECT coalesce(CAST({column} AS DOUBLE), 'nan'::DOUBLE) AS v, CAST({place} AS BIGINT) AS p FROM {table}"
        ).fetchnumpy()
        return Column(np.asarray(fetched["v"], dtype=np.float64), np.asarray(fetched["p"], dtype=np.intp))


def _portfolios(column: str, tables: tuple[str, str]) -> str:
    now, then = tables
    return (
        f"SELECT DISTINCT {column} AS portfolio FROM (SELECT {column} FROM {now} UNION ALL SELECT {column} FROM {then})"
    )


def _counts(connection: duckdb.DuckDBPyConnection, table: str, name: str) -> Counts:
    rows = connection.execute(f"SELECT {identifier(name)}, count(*) FROM {table} GROUP BY 1 ORDER BY 1").fetchall()
    return dict(rows)

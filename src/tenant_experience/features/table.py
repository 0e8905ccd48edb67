"""``features.parquet`` in memory: columns as numpy arrays, one row for each tenant, in an order that the rows decide.

Where a record may have several rows that a model learns from, ``examples.parquet`` has them, and is read likewise.

The order is fixed here, by a hash of each row, so that nothing later can depend on the order of the rows in the file or
on how ids are spelled: not the split, nor sums that round, nor ties, nor rows that are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tenant_experience.data_layout import (
    CENSORED,
    EXAMPLE_ID,
    EXAMPLES_FILE,
    FEATURES_FILE,
    GLOBAL_PARTITION,
    PAST,
    SIDE_COLUMNS,
    past_features,
)
from tenant_experience.errors import PlatformError
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.splitting import Hashes, number_hashes, row_hashes, spread_keys, text_hashes
from tenant_experience.use_case.labels import Labels
from tenant_experience.use_case.schema import UseCase

INSUFFICIENT = "insufficient"


@dataclass(frozen=True)
class FeatureTable:
    """Tenants and their features; every array has one entry for each row, and a row is one tenant or one example.

    Attributes:
        tenant_id: the record id of the use case; distinct unless rows are examples.
        portfolio_id: the partition column of the use case.
        partition_slug: the partition that answers for the tenant.
        history: sufficient, provisional or insufficient.
        may_train: whether a model may be trained on the tenant.
        values: (tenants, features) float64, NaN where a feature has no denominator or no value; a category is
            represented by its index in ``categories``.
        features: the names of the columns of ``values``.
        as_of: the moment that the features describe, ISO 8601, UTC.
        categories: for each feature that is a category: the values that occur, ascending.
        label: when labels come from a column: the number of the class, or the number itself; NaN where it is unknown.
            None when labels come from clusters.
        censored: of labels that are days until an event: whether it had not happened by then. None for other labels.
        side: further columns, name -> values: exposure_days, open_count, oldest_open_hr; NaN where unknown.
        moments: the moment that each row describes, UTC; None when nobody asks for it.
        examples: the distinct ids of the rows, where a tenant may have several; None where each has one.
        split_values: the value of the column that ``split.by`` names, empty where there is none; None when it names no
            column.
    """

    tenant_id: NDArray[np.str_]
    portfolio_id: NDArray[np.str_]
    partition_slug: NDArray[np.str_]
    history: NDArray[np.str_]
    may_train: NDArray[np.bool_]
    values: Floats
    features: tuple[str, ...]
    as_of: str
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    label: Floats | None = None
    censored: NDArray[np.bool_] | None = None
    side: Mapping[str, Floats] = field(default_factory=dict)
    moments: NDArray[np.datetime64] | None = None
    examples: NDArray[np.str_] | None = None
    split_values: NDArray[np.str_] | None = None

    def __len__(self) -> int:
        return len(self.tenant_id)

    @property
    def example_id(self) -> NDArray[np.str_]:
        """A distinct id for each row."""
        return self.tenant_id if self.examples is None else self.examples

    @property
    def records(self) -> int:
        """How many tenants the rows are about."""
        return len(self) if self.examples is None else len(np.unique(self.tenant_id))

    def column(self, feature: str) -> Floats:
        """One feature, shape (tenants,)."""
        return self.values[:, self.features.index(feature)]

    @property
    def numbers(self) -> dict[str, Floats]:
        """Each feature that is not a category, shape (tenants,), by name."""
        return {name: self.column(name) for name in self.features if name not in self.categories}

    def matrix(self, features: Sequence[str]) -> Floats:
        """Some features in the given order, shape (tenants, len(features))."""
        return self.values[:, [self.features.index(name) for name in features]]

    def take(self, rows: NDArray[Any]) -> FeatureTable:
        """The tenants that a boolean mask or an index selects."""
        names = ("tenant_id", "portfolio_id", "partition_slug", "history", "may_train", "values")
        optional = ("label", "censored", "moments", "examples", "split_values")
        given = [name for name in (*names, *optional) if getattr(self, name) is not None]
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in given},
            side={name: column[rows] for name, column in self.side.items()},
        )

    def row_keys(self) -> Hashes:
        """What the split and samples hang on: a hash of each tenant's features, spread over tenants that are alike.

        Features count as 32-bit numbers: a model sees no more of them, and sums may differ in their last bits. Tenants
        with the same features are told apart by their place in the table.
        """
        return self._keys(np.arange(len(self)))

    def unit_keys(self, units: NDArray[np.integer]) -> Hashes:
        """The same for units of rows, such as all rows of a tenant: shape (units,).

        Units whose rows have the same features are told apart by the other columns of these rows.

        Args:
            units: the number of each row's unit, from 0, shape (rows,).
        """
        features = _sum_by(units, self._feature_hashes(self.values.astype(np.float32)))
        order = np.argsort(_sum_by(units, row_hashes(self._other_hashes(), len(self))), kind="stable")
        keys = np.empty_like(features)
        with np.errstate(over="ignore"):
            keys[order] = spread_keys(features[order])
        return keys

    def in_order_of_content(self) -> FeatureTable:
        """The same tenants in the order of their keys.

        Tenants with the same features are numbered in order of the other columns, and rows that are alike in every
        column in order of all rows of their tenants. Those that are alike in that too are numbered by their ids, which
        changes nothing but which of them is which.
        """
        content = row_hashes(self._other_hashes(), len(self))
        of_tenant = content
        if self.examples is not None and len(self):
            tenants = np.unique(self.tenant_id, return_inverse=True)[1].reshape(-1)
            of_tenant = _sum_by(tenants, content)[tenants]
        order = np.lexsort((self.example_id, of_tenant, content))
        return self.take(order[np.argsort(self._keys(order), kind="stable")])

    def _other_hashes(self) -> list[Hashes]:
        """Of every column but ids, with features in full."""
        rest = [self._feature_hashes(self.values)]
        rest += [number_hashes(column) for _, column in sorted(self.side.items())]
        rest += [text_hashes(column) for column in (self.portfolio_id, self.partition_slug, self.history)]
        rest += [number_hashes(self.may_train.astype(np.float32))]
        rest += [] if self.label is None else [number_hashes(self.label)]
        if self.examples is not None and self.moments is not None:
            rest.append(number_hashes(self.moments.astype(np.int64).astype(np.float64)))
        rest += [] if self.split_values is None else [text_hashes(self.split_values)]
        return rest

    def _keys(self, order: NDArray[np.int64]) -> Hashes:
        with np.errstate(over="ignore"):
            return spread_keys(self._feature_hashes(self.values.astype(np.float32))[order])

    def _feature_hashes(self, matrix: NDArray[np.floating]) -> Hashes:
        """Of all features, whatever their order; a category counts by its name, whichever other categories occur."""
        columns = []
        for name in sorted(self.features):
            values = matrix[:, self.features.index(name)]
            if name in self.categories:
                names = np.asarray([*self.categories[name], ""], dtype=np.str_)
                known = ~np.isnan(values)
                columns.append(text_hashes(names[np.where(known, values, -1).astype(int)]) * known)
            else:
                columns.append(number_hashes(values))
        return row_hashes(columns, len(self))

    def of_partition(self, slug: str) -> FeatureTable:
        """The tenants that a partition's model is made from; for the global model, all tenants of the release."""
        return self if slug == GLOBAL_PARTITION else self.take(self._rows_by_slug.get(slug, np.arange(0)))

    @cached_property
    def _rows_by_slug(self) -> dict[str, NDArray[np.intp]]:
        """Slug -> its rows, ascending: looked up once, because a shard may have many partitions."""
        slugs = pa.array(self.partition_slug).dictionary_encode()
        places = slugs.indices.to_numpy()
        rows = np.split(np.argsort(places, kind="stable"), np.cumsum(np.bincount(places))[:-1])
        return dict(zip(slugs.dictionary.to_pylist(), rows, strict=False))


def read_examples(folder: Path, use_case: UseCase) -> FeatureTable:
    """The rows of a release to learn from: ``examples.parquet`` where there is one, else ``features.parquet``.

    Args:
        folder: of the release's features.
        use_case: names the columns.

    Raises:
        PlatformError: as ``read_features``.
        UserError: as ``read_features``.
    """
    path = folder / EXAMPLES_FILE
    return read_features(path if path.is_file() else folder / FEATURES_FILE, use_case)


def read_answers_and_examples(folder: Path, use_case: UseCase) -> tuple[FeatureTable, FeatureTable]:
    """The row of each tenant that answers, and the rows to learn from: one and the same table unless there are both."""
    answers = read_features(folder / FEATURES_FILE, use_case)
    return answers, read_examples(folder, use_case) if (folder / EXAMPLES_FILE).is_file() else answers


def read_features(path: Path, use_case: UseCase, only: NDArray[np.str_] | None = None) -> FeatureTable:
    """Reads ``features.parquet`` or ``examples.parquet``.

    Args:
        path: the file.
        use_case: names the columns.
        only: the tenants to read; all by default.

    Raises:
        PlatformError: ``features_file``: a column is missing, or two rows have one id; BuildFeatures never writes this.
        UserError: ``unknown_class``: the label column holds a value that is not one of ``labels.classes``.
    """
    texts = {
        "tenant_id": use_case.record_id,
        "portfolio_id": use_case.partition_column,
        "partition_slug": "partition_slug",
        "history": "history",
    }
    given = pq.read_schema(path).names
    if EXAMPLE_ID in given:
        texts["examples"] = EXAMPLE_ID
    labels = [use_case.labels.column] if use_case.labels.column else []
    kept = use_case.kept_columns
    censored = [CENSORED] if use_case.labels.horizon_days and CENSORED in given else []
    wanted = [*texts.values(), "may_train", "as_of", *use_case.features, *labels, *censored, *kept, *SIDE_COLUMNS]
    missing = [name for name in wanted if name not in given]
    if missing:
        raise PlatformError(f"{path} lacks the columns {missing}", code="features_file")
    chosen = None if only is None else pc.field(use_case.record_id).isin(pa.array(only.tolist(), pa.string()))
    table = pq.read_table(path, columns=wanted, filters=chosen)
    columns = {name: _texts(table[column]) for name, column in texts.items()}
    of_row = texts.get("examples", use_case.record_id)
    if pc.count_distinct(table[of_row]).as_py() < len(table):
        what = "example" if "examples" in texts else "id"
        raise PlatformError(f"{path} has two rows for one {what}", code="features_file")
    categories = {name: _categories(table[name]) for name in use_case.categories}
    matrix = [
        _codes(table[name], categories[name]) if name in categories else _numbers(table[name])
        for name in use_case.features
    ]
    return FeatureTable(
        **columns,
        may_train=table["may_train"].to_numpy().astype(np.bool_),
        values=np.column_stack(matrix),
        features=tuple(use_case.features),
        as_of=_latest(pc.max(table["as_of"]).as_py()),
        categories=categories,
        label=_labels(table[labels[0]], use_case.labels) if labels else None,
        censored=table[CENSORED].to_numpy().astype(np.bool_) if censored else None,
        side={name: _numbers(table[name]) for name in SIDE_COLUMNS},
        moments=table["as_of"].to_numpy().astype("datetime64[us]"),
        split_values=_texts(table[use_case.split_column]) if use_case.split_column else None,
    ).in_order_of_content()


def read_past_features(folder: Path, use_case: UseCase, tenants: NDArray[np.str_] | None = None) -> list[FeatureTable]:
    """The features of tenants in the earlier periods of a release, the oldest first.

    There are none where its log does not reach back.

    Args:
        folder: of the release's features.
        use_case: names the columns.
        tenants: their ids, all by default; a tenant need not be in every period.

    Raises:
        PlatformError: as ``read_features``.
    """
    days = sorted((int(path.name) for path in (folder / PAST).glob("[0-9]*")), reverse=True)
    return [read_features(folder / past_features(each), use_case, tenants) for each in days]


def _sum_by(units: NDArray[np.integer], hashes: Hashes) -> Hashes:
    """The sum of each unit's hashes, in any order of the rows; it wraps around."""
    order = np.argsort(units, kind="stable")
    sizes = np.bincount(units)
    return np.add.reduceat(hashes[order], np.cumsum(sizes) - sizes)


def _texts(column: pa.ChunkedArray) -> NDArray[np.str_]:
    return np.asarray(pc.fill_null(column, "").to_pylist(), dtype=np.str_)


def _numbers(column: pa.ChunkedArray) -> Floats:
    return column.to_numpy().astype(np.float64, copy=False)  # type: ignore[no-any-return]


def _categories(column: pa.ChunkedArray) -> tuple[str, ...]:
    return tuple(sorted(value for value in column.unique().to_pylist() if value is not None))


def _codes(column: pa.ChunkedArray, categories: Sequence[str]) -> Floats:
    codes = {value: float(code) for code, value in enumerate(categories)}
    return np.asarray([codes.get(value, np.nan) for value in column.to_pylist()], dtype=np.float64)


def _labels(column: pa.ChunkedArray, labels: Labels) -> Floats:
    if labels.classes is None:
        return _numbers(column)
    labels.check_classes(value for value in column.unique().to_pylist() if value is not None)
    return _codes(column, labels.classes)


def _latest(moment: datetime | None) -> str:
    """ISO 8601 of the latest moment of a column; None for a column without rows."""
    latest = moment or datetime.fromtimestamp(0, UTC)
    return latest.replace(tzinfo=latest.tzinfo or UTC).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

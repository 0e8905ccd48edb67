"""Categories with so many values that they say little, are ids, or make a model's matrix too large for memory."""

# ruff: noqa: S608 - names in SQL come from validated settings
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from tenant_experience.errors import UserError
from tenant_experience.features.sql import rows_to_learn_from
from tenant_experience.intake.duckdb_session import count, identifier, single
from tenant_experience.pages.html_page import words
from tenant_experience.use_case.manifest import Scope
from tenant_experience.use_case.schema import UseCase

# Each value becomes a column of the model's matrix. From here on, a sentence says so.
MANY_VALUES = 100
# A category whose values are mostly those of a single row is an id, when there are enough rows to tell.
_LIKE_AN_ID, _LEAST_FOR_AN_ID = 0.5, 20
MOST_COLUMNS = 2_000
# The matrix is made with 20 bytes for each cell (two copies of 8 bytes and one of 4), so these are 5 GB.
MOST_CELLS = 250_000_000


@dataclass(frozen=True)
class Category:
    """How many of the rows to learn from have a value of a category, and how many different values these are."""

    name: str
    known: int
    values: int

    @property
    def is_like_an_id(self) -> bool:
        """Whether most values are those of a single row."""
        return self.known >= _LEAST_FOR_AN_ID and self.values > _LIKE_AN_ID * self.known


def categories(connection: duckdb.DuckDBPyConnection, use_case: UseCase) -> list[Category]:
    """Each category of the rows to learn from, the one with the most values first."""
    found, learned = [], rows_to_learn_from(connection)
    for name in use_case.categories:
        column = identifier(name)
        known, values = single(
            connection, f"SELECT count({column}), count(DISTINCT {column}) FROM {learned} WHERE may_train"
        )
        found.append(Category(name, int(str(known)), int(str(values))))
    return sorted(found, key=lambda category: -category.values)


def category_warnings(found: list[Category]) -> list[str]:
    """A sentence for each category that is an id, or has very many values."""
    return list(_warnings(found))


def _warnings(found: list[Category]) -> Iterator[str]:
    for category in found:
        has = f"category {words(category.name)} has {category.values} different values in {category.known} rows"
        if category.is_like_an_id:
            yield (
                f"{has} to learn from, as an id has: a model learns nothing about others from it. Leave it out of the "
                "features, or map it to something that many have in common, such as an area or a type"
            )
        elif category.values > MANY_VALUES:
            yield (
                f"{has} to learn from, and each becomes a column of the model: of rare values it learns little. Map "
                "them to one value such as 'other', or to larger groups"
            )


def rows_learned(connection: duckdb.DuckDBPyConnection) -> int:
    """How many rows a model may learn from."""
    return count(connection, f"SELECT count(*) FILTER (may_train) FROM {rows_to_learn_from(connection)}")


def check_columns(found: list[Category], rows: int, use_case: UseCase, scope: Scope) -> None:
    """Refuses categories whose columns would not fit into memory.

    Args:
        found: the categories.
        rows: how many a model may learn from.
        use_case: its other features are a column each.
        scope: with models of their own, partitions have matrices of their own, which are smaller.

    Raises:
        UserError: ``too_many_values``.
    """
    width = len(use_case.features) - len(found) + sum(category.values for category in found)
    cells = 0 if scope == "per_partition" else width * rows
    if not found or (width <= MOST_COLUMNS and cells <= MOST_CELLS):
        return
    bound = (
        f"at most {MOST_COLUMNS} columns are read"
        if width > MOST_COLUMNS
        else f"with {rows} rows at most {max(MOST_CELLS // rows, 1)} columns fit into memory"
    )
    most = ", ".join(f"{category.name} ({category.values})" for category in found[:3])
    raise UserError(
        f"the features become {width} columns of the model, one for each value of a category, and {bound}. The most "
        f"values have: {most}. Map rare values to one value such as 'other', or leave the category out",
        code="too_many_values",
    )

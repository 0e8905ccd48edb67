"""Athena's queries: DuckDB answers them where it is installed, and otherwise they fail.

MiniStack without DuckDB answers every statement with ``mock_value``, and nonsense too. With it, a table has only
columns that its definition names, and partition projection works.
"""

from __future__ import annotations

import contextvars
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn

from ministack.services import athena

from local_aws.ministack_patches.athena.projection import projection

_rewrite: Callable[..., Awaitable[Any]] = athena._rewrite_data_paths
_files: Callable[..., list[str]] = athena._materialize_table_files
_relation: Callable[[dict[str, Any], list[str]], str] = athena._table_relation
_query: contextvars.ContextVar[str] = contextvars.ContextVar("local_aws_athena_query", default="")
_folder: contextvars.ContextVar[str] = contextvars.ContextVar("local_aws_athena_folder", default="")


def install() -> None:
    """Replace the answers that come from nowhere, and wrap how tables are read."""
    athena._mock_query_results = _refuse
    athena._rewrite_data_paths = _rewrite_knowing_the_query
    athena._materialize_table_files = _files_and_their_folder
    athena._table_relation = _relation_of_defined_columns


def _refuse(_statement: str) -> NoReturn:
    raise NotImplementedError(
        "The laptop's AWS answers queries with the package duckdb, which is not installed. Install it beside "
        "MiniStack (pip install 'local-aws[athena]'), and start the server again"
    )


async def _rewrite_knowing_the_query(query: str, *arguments: Any) -> Any:
    _query.set(query)
    return await _rewrite(query, *arguments)


def _files_and_their_folder(location: str, workdirs: list[str]) -> list[str]:
    files = _files(location, workdirs)
    _folder.set(workdirs[-1] if files else "")
    return files


def _relation_of_defined_columns(table: dict[str, Any], files: list[str]) -> str:
    storage, keys = table.get("StorageDescriptor") or {}, [key["Name"] for key in table.get("PartitionKeys") or []]
    projected = projection(storage.get("Location", ""), keys, table.get("Parameters") or {})
    if projected is not None:
        projected.check(_query.get())
        files = _laid_out(Path(_folder.get()), files, projected.folders)
        if not files:
            return str(athena._empty_relation(table))
    relation = _relation(table, files)
    names = [*(column["Name"] for column in storage.get("Columns") or []), *keys]
    if athena._data_format(table) != "parquet" or not storage.get("Columns"):
        return relation
    columns = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    return f"(SELECT {columns} FROM {relation})"  # noqa: S608 the names are quoted, and the statement is the user's own


def _laid_out(folder: Path, files: list[str], folders: Callable[[str], str | None]) -> list[str]:
    """Move the files into folders that are named by their partition; returns those that are in one."""
    moved: list[str] = []
    for file in files:
        path = folders(str(Path(file).relative_to(folder)))
        if path is not None:
            target = folder / "_projected" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(file, target)
            moved.append(str(target))
    return moved

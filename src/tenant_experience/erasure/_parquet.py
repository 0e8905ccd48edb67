"""Erases a tenant from Parquet files: the rows are removed, and the schema stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from tenant_experience.erasure.id import ErasedId

_ROWS = 65_536
Mask = Callable[[pa.Table], list[bool]]


def erase_rows(source: Path, target: Path, erased: ErasedId, is_tenants: Mask) -> tuple[int, int]:
    """Writes ``target`` without the tenant's rows.

    Args:
        source: a Parquet file.
        target: written only when rows were removed.
        erased: rows that name this id in any text column are removed as well.
        is_tenants: which rows of a batch are the tenant's.

    Returns:
        How many rows were removed, and how many are left.
    """
    with parquet.ParquetFile(source) as file:
        masks = [_mask(pa.Table.from_batches([batch]), erased, is_tenants) for batch in file.iter_batches(_ROWS)]
        removed, rows = sum(map(sum, masks)), file.metadata.num_rows
        if removed:
            codec = file.metadata.row_group(0).column(0).compression.lower()
            compression = "none" if codec == "uncompressed" else codec
            with parquet.ParquetWriter(target, file.schema_arrow, compression=compression) as writer:
                for batch, mask in zip(file.iter_batches(_ROWS), masks, strict=True):
                    writer.write_batch(batch.filter(pa.array([not hit for hit in mask])))
    return removed, rows - removed


def id_columns_hold(erased: ErasedId, id_columns: frozenset[str]) -> Mask:
    """A mask of the rows in which one of these columns is the id; the quarantine stores long values cut off."""

    def mask(table: pa.Table) -> list[bool]:
        hits = [False] * table.num_rows
        for name in id_columns.intersection(table.column_names):
            texts = pc.cast(table[name].combine_chunks(), pa.string()).to_pylist()
            hits = [hit or (text is not None and erased.is_value(text)) for hit, text in zip(hits, texts, strict=True)]
        return hits

    return mask


def _mask(table: pa.Table, erased: ErasedId, is_tenants: Mask) -> list[bool]:
    hits = is_tenants(table)
    if not erased.is_distinctive:
        return hits
    for column in table.columns:
        for place in _naming(column.combine_chunks(), erased):
            hits[place] = True
    return hits


def _naming(column: pa.Array, erased: ErasedId) -> list[int]:
    """The positions of the values that contain the id."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_nested(column.type):
        texts = [json.dumps(value, default=str, ensure_ascii=False) for value in column.to_pylist()]
        return [place for place, text in enumerate(texts) if erased.is_in_line(text)]
    if not (_is_text(column.type) or pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        return []
    hits: set[int] = set()
    for form in erased.forms:
        found = pc.fill_null(pc.match_substring(column, form, ignore_case=erased.case == "insensitive"), False)
        hits |= set(pc.indices_nonzero(found).to_pylist())
    return [place for place in hits if erased.is_in_line(_text(column[place].as_py()))]


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")

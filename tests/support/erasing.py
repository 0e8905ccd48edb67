"""An eraser for files, as ``tenx erase`` opens one."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet

from tenant_experience.erasure.file import Eraser, Erasure
from tenant_experience.erasure.id import ErasedId
from tenant_experience.erasure.mapping import RawMapping
from tenant_experience.use_case.source import Source

ME = "T000014"
EVENTS = {name: name for name in ("event_id", "channel", "opened_at", "first_response_at", "resolved_at")}
Erase = Callable[[str, bytes], tuple[Erasure, bytes]]


def eraser_in(tmp_path: Path, eraser: Eraser) -> Erase:
    def erase(name: str, content: bytes) -> tuple[Erasure, bytes]:
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes(content)
        found = eraser.erase(source, name, target)
        return found, target.read_bytes() if found.left == "rewritten" else b""

    return erase


@contextmanager
def erasing_from_own(tmp_path: Path, me: str = ME) -> Iterator[Erase]:
    """From files of our own."""
    source = Source.model_validate({"kind": "table", "columns": {"tenant_id": "tenant_id"}})
    with RawMapping.open(source, "tenant_id", ErasedId((me,))) as mapping:
        yield eraser_in(tmp_path, Eraser(ErasedId((me,)), "tenant_id", mapping, is_raw=False))


def parquet_of(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    parquet.write_table(table, stream, row_group_size=2, compression="zstd")
    return stream.getvalue()

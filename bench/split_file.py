"""What SplitFile takes for a file: seconds, messages, and the most memory of the process.

``.venv/bin/python -m bench.split_file --rows 200000`` writes a file of the telecom columns and splits it, with S3, SQS
and DynamoDB replaced by a file, a counter and nothing. With ``--bytes 2000000000`` the file is as large as that, which
is more than the queue takes: the splitter stops reading it when that is known.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from bench.output import tell
from tenant_experience.aws import event_bus, inference_table, objects, row_queue
from tenant_experience.queue.progress import FileProgress, State
from tests.support.function_module import function_module
from tests.support.inference_export import HEADER, inference_lines
from tests.support.places import ROOT

_DISTINCT = 2_000
_MIB = 1 << 20


class _Body:
    """A file as S3's answer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read = 0

    def iter_chunks(self, length: int) -> Iterator[bytes]:
        with self.path.open("rb") as stream:
            while block := stream.read(length):
                self.read += len(block)
                yield block

    def close(self) -> None:
        """Nothing is open."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.split_file", description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="of the file (%(default)s)")
    parser.add_argument("--bytes", type=int, help="of the file, instead of its rows")
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as name:
        path = Path(name) / "dim_1.csv"
        _write(path, options.rows, options.bytes)
        size = path.stat().st_size
        os.environ |= {"SAGEMAKER_BASE_DIR": name, "INFERENCE_RETENTION_DAYS": "90"}
        sys.path.insert(0, str(ROOT))
        messages, body = _stand_ins(path)
        event = json.loads((ROOT / "events" / "split_file.json").read_text())
        before, began = _peak(), time.perf_counter()
        answer = function_module("split_file").handler(event, None)
        seconds = time.perf_counter() - began
    tell(
        f"{body.read:,} of {size:,} bytes were read; {answer['state']}, {len(messages):,} messages, {seconds:.1f} s; "
        f"the most memory {_peak():,.0f} MiB, of which {before:,.0f} before"
    )
    return 0


def _write(path: Path, rows: int, size: int | None) -> None:
    lines = inference_lines(_DISTINCT)
    block = ("\n".join(lines) + "\n").encode()
    with path.open("wb") as target:
        target.write(f"{HEADER}\n".encode())
        if size is None:
            target.writelines(block for _ in range(rows // _DISTINCT))
            target.write(("\n".join(lines[: rows % _DISTINCT]) + "\n").encode() if rows % _DISTINCT else b"")
        else:
            while target.tell() < size:
                target.write(block)


def _stand_ins(path: Path) -> tuple[list[int], _Body]:
    """Puts files, counters and nothing in the places of S3, SQS, DynamoDB and EventBridge."""
    body = _Body(path)
    size = path.stat().st_size if path.stat().st_size < 1 << 30 else 1  # the size alone would refuse it
    messages: list[int] = []
    states = {"state": State.SPLITTING}
    found: Any = SimpleNamespace(
        head_object=lambda **_: {"ContentLength": size, "ETag": "e", "VersionId": "v"},
        get_object=lambda **_: {"Body": body},
    )

    def progress(file: str, *_: object) -> FileProgress:
        return FileProgress(file, "telecom_churn", states["state"], "", None, 0, 0, 0, 0)

    def end(_file: str, *_: object) -> bool:
        states["state"] = State.SCORING
        return True

    modules: list[tuple[Any, dict[str, Any]]] = [
        (objects, {"s3": lambda: found}),
        (row_queue, {"send": lambda bodies: messages.extend(map(len, bodies))}),
        (event_bus, {"send": lambda *_: None}),
        (
            inference_table,
            {
                "begin": progress,
                "read_progress": progress,
                "note_sent": lambda *_: None,
                "end_splitting": end,
                "end_without_rows": end,
                "claim_completion": lambda *_: None,
            },
        ),
    ]
    for module, names in modules:
        for name, value in names.items():
            setattr(module, name, value)
    return messages, body


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / _MIB


if __name__ == "__main__":
    sys.exit(main())

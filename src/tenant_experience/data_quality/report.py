"""The data-quality report of a release: ``data_quality.json`` for machines, ``data_quality.html`` for people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tenant_experience.data_layout import DATA_QUALITY_FILE, DATA_QUALITY_PAGE
from tenant_experience.data_quality.page import render_data_quality
from tenant_experience.errors import AlgorithmError, UserError


@contextmanager
def data_quality_report(folder: Path, release: str) -> Iterator[dict[str, Any]]:
    """Writes the report into ``folder`` at the end, and as far as it got when the batch is refused.

    Args:
        folder: exists.
        release: its id.

    Yields:
        The figures, to be added to. A refusal adds itself, and goes on to the caller.
    """
    quality: dict[str, Any] = {"release": release, "refusal": None}
    try:
        yield quality
    except (UserError, AlgorithmError) as refusal:
        quality["refusal"] = {"fault": refusal.fault, "code": refusal.code, "message": refusal.message}
        _write(folder, quality)
        raise
    _write(folder, quality)


def _write(folder: Path, quality: dict[str, Any]) -> None:
    (folder / DATA_QUALITY_FILE).write_text(json.dumps(quality, indent=2, allow_nan=False) + "\n")
    (folder / DATA_QUALITY_PAGE).write_text(render_data_quality(quality), encoding="utf-8")

"""``inference:`` of ``use_case.yaml``: how files below ``inference/`` are read, and which go through the queue."""

from __future__ import annotations

from pydantic import Field, StrictInt

from tenant_experience.settings_file import Settings
from tenant_experience.use_case.features import Name
from tenant_experience.use_case.served import QUEUE_ROWS


class Inference(Settings):
    """How files of the queue are read.

    Attributes:
        source: the source that maps their columns; left out, it is ``default_source``.
        queue_rows: a file of more rows goes to score_batch.
    """

    source: Name | None = None
    queue_rows: StrictInt = Field(default=QUEUE_ROWS, ge=1, le=1_000_000)

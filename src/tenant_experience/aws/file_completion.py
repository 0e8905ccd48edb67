"""Tells, once, that every row of a file of the queue is kept."""

from __future__ import annotations

import time

from tenant_experience.aws import event_bus, inference_table

# How long whoever tells it may take. Then another may, because the first has died.
_LEASE_SECONDS = 60


def tell_if_complete(file: str) -> bool:
    """Sends the event ``File Scored`` when the last row is kept and nobody else does; whether it did.

    Whoever writes the last row, or says how many there are, calls it before its own message is done. So a caller that
    dies in between is called again.
    """
    progress = inference_table.claim_completion(file, int(time.time()), _LEASE_SECONDS)
    if progress is None:
        return False
    event_bus.send("File Scored", progress.counts)
    inference_table.note_told(file, int(time.time()))
    return True

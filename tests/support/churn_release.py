"""Releases of the use case ``telecom_churn`` in the flow tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from operations.batch import RawBatch
from operations.releases import FinishedRelease
from tests.support.flow import Flow

USE_CASE = "telecom_churn"


def release_churn(flow: Flow, name: str, folder: Path) -> FinishedRelease:
    """One release of the files of a folder."""
    mails: list[dict[str, Any]] = []
    work = RawBatch(name, tuple(sorted(folder.iterdir())), {}, USE_CASE)
    done = flow.release(work, before=mails.append)
    assert done.execution["status"] == "SUCCEEDED", (done.execution.get("error"), done.execution.get("cause"))
    assert USE_CASE in mails[0]["subject"]
    return done

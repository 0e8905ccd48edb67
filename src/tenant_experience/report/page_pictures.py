"""``page_pictures.json``: the pictures of the report that the approval page shows too, which draws nothing itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from tenant_experience.data_layout import PAGE_PICTURES_FILE
from tenant_experience.report._part import ReportPart


def write_page_pictures(parts: Sequence[ReportPart], folder: Path) -> None:
    """Writes those of each partition, by its slug."""
    document = {part.manifest.slug: found for part in parts if (found := list(_pictures(part)))}
    (folder / PAGE_PICTURES_FILE).write_text(json.dumps(document) + "\n")


def _pictures(part: ReportPart) -> Iterator[dict[str, str]]:
    records = part.evaluation.words.records
    if part.pictures is not None:
        text = (
            f"A map of {part.pictures.mapped:,} {records}: worse is to the right, and each shape is a group. It shows "
            f"{part.pictures.map_share:.0%} of the variation of what decides."
        )
        yield _picture("groups", "The groups on a map", part.pictures.group_map, text)
    if part.plots.calibration is not None:
        text = "Each dot is a tenth of the answers: on the dashed line, the probability that was told comes true."
        yield _picture("calibration", "Does a probability come true?", part.plots.calibration, text)
    for each in part.shares:
        yield _picture("share", f"Share {part.positive} over time: {each.title}", each.picture, each.text)


def _picture(kind: str, title: str, picture: str, text: str) -> dict[str, str]:
    return {"kind": kind, "title": title, "picture": picture, "text": text}

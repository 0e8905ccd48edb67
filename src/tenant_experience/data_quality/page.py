"""``data_quality.html``: one self-contained page about the data of a release, from its ``data_quality.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenant_experience.data_quality._category_shift import POOLED_BELOW
from tenant_experience.data_quality._level import DEVIATIONS, RATIO
from tenant_experience.data_quality._stability import LARGE_SHIFT, SLIGHT_SHIFT
from tenant_experience.pages.html_page import render
from tenant_experience.use_case.words import Words

TEMPLATE = "data_quality.html.j2"
ROW_LIMIT = 100


def render_data_quality(quality: Mapping[str, Any]) -> str:
    """The page, as far as the figures go: a batch that was refused early has few.

    Args:
        quality: ``data_quality.json``; names of files, columns and portfolios in it are hostile, and escaped.

    Returns:
        HTML without any address to fetch.
    """
    described = quality.get("features", {})
    return render(
        TEMPLATE,
        quality=quality,
        words=Words.read(quality.get("words")),
        numbers={name: entry for name, entry in described.items() if entry["kind"] == "number"},
        categories={name: entry for name, entry in described.items() if entry["kind"] == "category"},
        pooled_below=POOLED_BELOW,
        compared=quality.get("comparison", {}).get("compared", False),
        plots=_plots(quality) if "features" in quality else {},
        row_limit=ROW_LIMIT,
        slight_shift=SLIGHT_SHIFT,
        large_shift=LARGE_SHIFT,
        ratio=RATIO,
        deviations=DEVIATIONS,
    )


def _plots(quality: Mapping[str, Any]) -> dict[str, Any]:
    """Matplotlib takes a second to load: a page that needs no plot does not."""
    from tenant_experience.data_quality._plots import exposure, shift_bars

    features = quality["features"]
    days = features["exposure_days"]["histogram"]
    return {
        "shift": shift_bars(features) if any(entry["shift"] for entry in features.values()) else None,
        "exposure": exposure(days, quality["history"]) if days else None,
        "distributions": {
            name: picture
            for name, entry in features.items()
            if name != "exposure_days" and (picture := _picture(entry))
        },
        "labels": _picture(quality["labels"]) if "labels" in quality else None,
    }


def _picture(entry: Mapping[str, Any]) -> str | None:
    """The distribution of one feature; None when nobody has a value."""
    from tenant_experience.data_quality._plots import category_bars, distribution

    if entry["kind"] == "category":
        return category_bars(entry) if entry["common"] else None
    return distribution(entry["histogram"], logarithmic=entry["transform"] == "log1p") if entry["histogram"] else None

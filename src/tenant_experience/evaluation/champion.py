"""The model that answers now against the new one, on the same tenants."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenant_experience.errors import PlatformError, UserError
from tenant_experience.evaluation._intervals import measured, measured_with
from tenant_experience.evaluation._scored_rows import ScoredRows, scored
from tenant_experience.evaluation._weighted_metrics import LOSSES, weighted_metrics
from tenant_experience.features.table import FeatureTable
from tenant_experience.models.artifact import ModelManifest
from tenant_experience.models.served_model import ServedModel
from tenant_experience.statistics.arrays import Floats

# Of the loss: less than this is no difference, even when chance is ruled out. Of numbers, as a share of the champion's.
TOLERANCE = 0.005
NOT_COMPARABLE = "not_comparable"
MAY_HAVE_LEARNED = (
    "The live model may have learned from some of these tenants, which favours it: a tenant's part of the split hardly "
    "moves between releases, but it may."
)
NEW_DEFINITION = (
    "Both are judged by the groups of this release, which favours the new model: the live one learned those of its own."
)


@dataclass(frozen=True)
class Champion:
    """The live model of a partition.

    Attributes:
        version: the release that made it.
        folder: its archive, unpacked.
    """

    version: str
    folder: Path


def champion_comparison(
    champion: Champion, challenger: ScoredRows, manifest: ModelManifest, test: FeatureTable
) -> dict[str, Any]:
    """Both models on the test part, with paired bootstrap intervals of the differences.

    Args:
        champion: the live one.
        challenger: what the new model says of the test part.
        manifest: of the new model.
        test: features of the test part.

    Returns:
        version; rows; loss (the metric that decides); worse_by (how much worse that is) and surely_worse_by (the lower
        end of its interval), both of rmse as a share of the champion's; metrics (by name: champion, challenger,
        difference = challenger - champion, low, high); verdict (``better``, ``equal``: the loss's interval holds 0 or
        the difference is below the tolerance, ``worse``, or ``not_comparable``: then rows is 0 and metrics are empty);
        and notes in sentences.
    """
    document: dict[str, Any] = {"version": champion.version, "loss": LOSSES[challenger.task]}
    try:
        model = ServedModel.load(champion.folder)
    except (UserError, PlatformError) as error:
        reason = f"The live model cannot be read by this version of the program ({error.code})."
        return document | {"rows": 0, "metrics": {}, "verdict": NOT_COMPARABLE, "notes": [reason]}
    scorer = model.scorer
    obstacle = _obstacle(scorer.manifest, manifest, test)
    if obstacle:
        return document | {"rows": 0, "metrics": {}, "verdict": NOT_COMPARABLE, "notes": [obstacle]}
    defended = scored(scorer, scorer.encoding.matrix(test), challenger.labels)
    metrics = _paired(defended, challenger)
    decides = metrics[document["loss"]]
    scale = decides["champion"] if challenger.task == "regression" else 1
    return document | {
        "rows": len(challenger),
        "worse_by": decides["difference"] / scale if scale else 0.0,
        "surely_worse_by": decides["low"] / scale if scale else 0.0,
        "metrics": metrics,
        "verdict": _verdict(decides, TOLERANCE * scale),
        "notes": [MAY_HAVE_LEARNED, *([NEW_DEFINITION] if model.grouping else [])],
    }


def _obstacle(live: ModelManifest, new: ModelManifest, test: FeatureTable) -> str | None:
    """Why the live model cannot be asked about these tenants."""
    if (live.task, live.labels) != (new.task, new.labels):
        return (
            f"The live model tells {', '.join(live.labels) or 'a number'}, this one "
            f"{', '.join(new.labels) or 'a number'}: they do not answer the same question."
        )
    missing = [name for name in live.features if name not in test.features]
    if missing:
        return f"The live model reads {', '.join(missing)}, which this release does not have."
    changed = [name for name in live.features if (name in live.categories) != (name in test.categories)]
    return f"Of {', '.join(changed)} it has changed whether it is a category." if changed else None


def _paired(champion: ScoredRows, challenger: ScoredRows) -> dict[str, dict[str, float]]:
    """Each metric that both have, and the difference with its interval: both on the same resamples."""

    def differences(weights: Floats) -> dict[str, Floats]:
        theirs, ours = weighted_metrics(champion, weights), weighted_metrics(challenger, weights)
        return {name: ours[name] - theirs[name] for name in ours}

    theirs, ours = (measured(rows, resamples=0).metrics for rows in (champion, challenger))
    found = measured_with(differences, len(challenger))
    told = {}
    for name, bounds in found.intervals.items():
        defended, offered = theirs[name], ours[name]
        if defended is not None and offered is not None and bounds is not None:
            difference = offered - defended
            told[name] = {"champion": defended, "challenger": offered, "difference": difference}
            told[name] |= {"low": bounds[0], "high": bounds[1]}
    return told


def _verdict(compared: dict[str, float], tolerance: float) -> str:
    if compared["low"] <= 0 <= compared["high"] or abs(compared["difference"]) < tolerance:
        return "equal"
    return "better" if compared["difference"] < 0 else "worse"

"""Compares the model that answers now, the champion, with the new one on the same tenants."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from tenant_experience.errors import PlatformError, UserError
from tenant_experience.evaluation._intervals import measured, measured_with
from tenant_experience.evaluation._weighted_metrics import LOSSES, weighted_metrics
from tenant_experience.evaluation.scored_rows import ScoredRows, published
from tenant_experience.features.table import FeatureTable
from tenant_experience.models.artifact import ModelManifest
from tenant_experience.models.served_model import ServedModel
from tenant_experience.statistics.arrays import Floats

Verdict = Literal["better", "equal", "worse", "not_comparable"]

# A smaller difference of the loss counts as none, even when it is not chance; for rmse, as a share of the champion's.
TOLERANCE = 0.005
NOT_COMPARABLE: Literal["not_comparable"] = "not_comparable"
MAY_HAVE_LEARNED = (
    "The live model may have been trained on some of these tenants, which favours it: tenants rarely change between "
    "the training part and the test part from one release to the next, but some do."
)
NEW_DEFINITION = (
    "Both models are measured against the groups of this release, which favours the new model: the live model was "
    "trained on the groups of its own release."
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


@dataclass(frozen=True)
class ComparedMetric:
    """One metric of both models on the same rows.

    Attributes:
        champion: of the live model.
        challenger: of the new model.
        difference: challenger - champion, with its paired 95% bootstrap interval.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    champion: float
    challenger: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class ChampionComparison:
    """The live model and the new one on the same tenants.

    Attributes:
        version: the release that made the live model.
        loss: the metric that decides.
        rows: the number of tenants; 0 when the models cannot be compared.
        metrics: by name; empty when the models cannot be compared.
        verdict: ``better``, ``equal`` (the interval of the loss holds 0, or the difference is below the tolerance),
            ``worse`` or ``not_comparable``.
        notes: what should be known about the comparison, in sentences.
        worse_by: how much worse the new model's loss is, for rmse as a share of the champion's; None when not compared.
        surely_worse_by: the lower end of the interval of ``worse_by``.
    """

    version: str
    loss: str
    rows: int
    metrics: dict[str, ComparedMetric]
    verdict: Verdict
    notes: list[str]
    worse_by: float | None = None
    surely_worse_by: float | None = None

    def document(self) -> dict[str, Any]:
        """The comparison as evaluation.json has it."""
        margins = {"worse_by": self.worse_by, "surely_worse_by": self.surely_worse_by}
        return {
            "version": self.version,
            "loss": self.loss,
            "rows": self.rows,
            **{name: value for name, value in margins.items() if value is not None},
            "metrics": {name: asdict(metric) for name, metric in self.metrics.items()},
            "verdict": self.verdict,
            "notes": self.notes,
        }


def champion_comparison(
    champion: Champion, challenger: ScoredRows, manifest: ModelManifest, test: FeatureTable
) -> ChampionComparison:
    """Compares what both models publish about the test part.

    Args:
        champion: the live model.
        challenger: what the new model answers for the test part.
        manifest: of the new model.
        test: features of the tenants of ``challenger``.
    """
    loss = LOSSES[challenger.task]
    try:
        model = ServedModel.load(champion.folder)
    except (UserError, PlatformError) as error:
        reason = f"This version of the program cannot read the live model ({error.code})."
        return ChampionComparison(champion.version, loss, 0, {}, NOT_COMPARABLE, [reason])
    scorer = model.scorer
    obstacle = _obstacle(scorer.manifest, manifest, test)
    if obstacle:
        return ChampionComparison(champion.version, loss, 0, {}, NOT_COMPARABLE, [obstacle])
    answered = published(model, scorer.encoding.matrix(test), challenger.labels, test.side.get("exposure_days"))
    if not answered.known.any():
        reason = "The live model answers for none of these tenants: it knows nothing of them that decides."
        return ChampionComparison(champion.version, loss, 0, {}, NOT_COMPARABLE, [reason])
    challenger = challenger.take(answered.known)
    metrics = _paired(answered.rows, challenger)
    decides = metrics[loss]
    scale = decides.champion if challenger.task == "regression" else 1
    return ChampionComparison(
        version=champion.version,
        loss=loss,
        rows=len(challenger),
        metrics=metrics,
        verdict=_verdict(decides, TOLERANCE * scale),
        notes=[MAY_HAVE_LEARNED, *([NEW_DEFINITION] if model.grouping else [])],
        worse_by=decides.difference / scale if scale else 0.0,
        surely_worse_by=decides.low / scale if scale else 0.0,
    )


def _obstacle(live: ModelManifest, new: ModelManifest, test: FeatureTable) -> str | None:
    """Why the live model cannot be asked about these tenants."""
    if (live.task, live.labels) != (new.task, new.labels):
        return (
            f"The live model predicts {', '.join(live.labels) or 'a number'}, the new one "
            f"{', '.join(new.labels) or 'a number'}: they do not answer the same question."
        )
    missing = [name for name in live.features if name not in test.features]
    if missing:
        return f"The live model needs {', '.join(missing)}, which this release does not have."
    changed = [name for name in live.features if (name in live.categories) != (name in test.categories)]
    return f"{', '.join(changed)} was a category in one release and a number in the other." if changed else None


def _paired(champion: ScoredRows, challenger: ScoredRows) -> dict[str, ComparedMetric]:
    """Each metric that both models have, and the difference with its interval: both on the same resamples."""

    def differences(weights: Floats) -> dict[str, Floats]:
        theirs, ours = weighted_metrics(champion, weights), weighted_metrics(challenger, weights)
        return {name: ours[name] - theirs[name] for name in ours}

    theirs, ours = (measured(rows, resamples=0).metrics for rows in (champion, challenger))
    found = measured_with(differences, len(challenger))
    compared = {}
    for name, bounds in found.intervals.items():
        defended, offered = theirs[name], ours[name]
        if defended is not None and offered is not None and bounds is not None:
            compared[name] = ComparedMetric(defended, offered, offered - defended, *bounds)
    return compared


def _verdict(compared: ComparedMetric, tolerance: float) -> Verdict:
    if compared.low <= 0 <= compared.high or abs(compared.difference) < tolerance:
        return "equal"
    return "better" if compared.difference < 0 else "worse"

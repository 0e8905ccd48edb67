"""Compares the model that answers now, the champion, with the new one on the same tenants.

Both are measured by what they say of the group that a tenant is in now, because that is the label there is. What a
model of groups publishes about the next period is not compared: each release shrinks what it saw of a tenant towards
its own tenants, and a label of now always favours the model that shrinks less (decision 24).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tenant_experience.errors import PlatformError, UserError
from tenant_experience.evaluation._estimates import Estimate, estimates
from tenant_experience.evaluation._weighted_metrics import LOSS_OF_TIMES, LOSSES
from tenant_experience.evaluation.missing_features import MISSING_FEATURES, with_gaps
from tenant_experience.evaluation.scored_rows import PublishedRows, ScoredRows, published
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.next_period import NextPeriod
from tenant_experience.groups.split import FittedTenants
from tenant_experience.models.artifact import ModelManifest
from tenant_experience.models.digests import difference
from tenant_experience.models.served_model import ServedModel
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.intervals import Bounds, difference_interval, t_interval
from tenant_experience.use_case.words import Words

Verdict = Literal["better", "equal", "worse", "not_comparable"]

# A smaller difference of the loss counts as none, even when it is not chance; for rmse, as a share of the champion's.
TOLERANCE = 0.005
_BY_ROWS = ("log_loss", "brier", "rmse", "mae", "roc_auc", "concordance")
NOT_COMPARABLE: Literal["not_comparable"] = "not_comparable"
# With fewer tenants that the live model was not fitted on, all are compared.
LEAST_NEW_TO_BOTH = 100
MAY_HAVE_LEARNED = (
    "The live model may have been trained on earlier figures of these {records}, which favours it: {a_record} with new "
    "figures may change between the training part and the test part."
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
        digest: that the release pointer has for it; empty when none was registered.
    """

    version: str
    folder: Path
    digest: str = ""


@dataclass(frozen=True)
class ComparedMetric:
    """One metric of both models on the same rows.

    Attributes:
        champion: of the live model.
        challenger: of the new model.
        difference: challenger - champion, with its paired 95% interval.
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
            ``worse`` or ``not_comparable``; of the comparison that decides.
        notes: what should be known about the comparison, in sentences.
        worse_by: how much worse the new model's loss is, for rmse as a share of the champion's; None when not compared.
        surely_worse_by: the lower end of the interval of ``worse_by``.
        with_gaps: as ``metrics``, with 3 features hidden of each tenant, for models of groups: where all markers are
            known, the rule answers, and a poor model would not be seen. Empty when this was not compared.
        gaps_decide: whether the new model is worse with features hidden, and more so than without.
        by_live_groups: as ``metrics``, with the groups of the live release as the truth; empty when the groups are the
            same, or when there are none. It decides nothing, because it favours the live model.
    """

    version: str
    loss: str
    rows: int
    metrics: dict[str, ComparedMetric]
    verdict: Verdict
    notes: list[str]
    worse_by: float | None = None
    surely_worse_by: float | None = None
    with_gaps: dict[str, ComparedMetric] = field(default_factory=dict)
    gaps_decide: bool = False
    by_live_groups: dict[str, ComparedMetric] = field(default_factory=dict)

    @property
    def decisive(self) -> ComparedMetric:
        """The loss, where it decides."""
        return (self.with_gaps if self.gaps_decide else self.metrics)[self.loss]

    @property
    def condition(self) -> str:
        """What was done to the tenants for the comparison that decides, in words that follow "tenants"."""
        return f", with {MISSING_FEATURES} features missing," if self.gaps_decide else ""

    def document(self) -> dict[str, Any]:
        """The comparison as evaluation.json has it."""
        margins = {"worse_by": self.worse_by, "surely_worse_by": self.surely_worse_by}
        return {
            "version": self.version,
            "loss": self.loss,
            "rows": self.rows,
            **{name: value for name, value in margins.items() if value is not None},
            "metrics": {name: asdict(metric) for name, metric in self.metrics.items()},
            "with_gaps": {name: asdict(metric) for name, metric in self.with_gaps.items()},
            "gaps_decide": self.gaps_decide,
            "by_live_groups": {name: asdict(metric) for name, metric in self.by_live_groups.items()},
            "verdict": self.verdict,
            "notes": self.notes,
        }


def champion_comparison(
    champion: Champion,
    model: ServedModel,
    challenger: ScoredRows,
    test: FeatureTable,
    fitted: FittedTenants | None = None,
    *,
    words: Words,
) -> ChampionComparison:
    """Compares what both models say of the test part; if it is large enough, of tenants new to both.

    Args:
        champion: the live model.
        model: the new model.
        challenger: what it answers for the test part.
        test: features of the tenants of ``challenger``.
        fitted: the tenants that the live release's models were fitted on, if that is known.
        words: for the notes.
    """
    loss = LOSSES[challenger.task] if challenger.horizon is None else LOSS_OF_TIMES
    if champion.digest and (found := difference(champion.folder, champion.digest)):
        reason = f"The archive of the live model is not the one that was registered ({found}): find out who changed it."
        return ChampionComparison(champion.version, loss, 0, {}, NOT_COMPARABLE, [reason])
    try:
        live = ServedModel.load(champion.folder)
    except (UserError, PlatformError) as error:
        reason = f"This version of the program cannot read the live model ({error.code})."
        return ChampionComparison(champion.version, loss, 0, {}, NOT_COMPARABLE, [reason])
    obstacle = _obstacle(live.scorer.manifest, model.scorer.manifest, test)
    if obstacle:
        return ChampionComparison(champion.version, loss, 0, {}, NOT_COMPARABLE, [obstacle])
    chosen = _new_to_both(test, challenger, fitted, live.scorer.manifest, model.scorer.manifest)
    if chosen is None:
        notes = [words.fill(MAY_HAVE_LEARNED)]
    else:
        challenger, test = challenger.take(chosen), test.take(chosen)
        notes = [
            f"Of the {len(chosen)} {words.records} of the test part, the {len(test)} are compared that the live model "
            "was not trained on."
        ]
    live, model = _about_now(live), _about_now(model)
    answered = _answers(live, test, challenger.labels)
    if not len(answered.rows):
        reason = f"The live model answers for none of these {words.records}: it knows nothing of them that decides."
        return ChampionComparison(champion.version, loss, 0, {}, NOT_COMPARABLE, [reason])
    challenger, test = challenger.take(answered.known), test.take(answered.known)
    if model.grouping is not None:
        challenger = _answers(model, test, challenger.labels).rows
    metrics = paired_metrics(answered.rows, challenger)
    hidden = _compared_with_gaps(live, model, test, challenger.labels)
    other_groups = _have_other_groups(live, model)
    by_live_groups = _by_live_groups(live, answered.rows, challenger, test) if other_groups else {}
    gaps_decide = loss in hidden and hidden[loss].low > max(metrics[loss].low, 0)
    decides = hidden[loss] if gaps_decide else metrics[loss]
    scale = decides.champion if challenger.task == "regression" else 1
    return ChampionComparison(
        version=champion.version,
        loss=loss,
        rows=len(challenger),
        metrics=metrics,
        verdict=_verdict(decides, TOLERANCE * scale),
        notes=[*notes, *([_new_definition(by_live_groups, loss)] if other_groups else [])],
        worse_by=decides.difference / scale if scale else 0.0,
        surely_worse_by=decides.low / scale if scale else 0.0,
        with_gaps=hidden,
        gaps_decide=gaps_decide,
        by_live_groups=by_live_groups,
    )


def _have_other_groups(live: ServedModel, model: ServedModel) -> bool:
    """Whether the release found groups of its own, instead of keeping those of the live one."""
    if live.grouping is None or model.grouping is None:
        return False
    return live.grouping.version != model.grouping.version


def _by_live_groups(
    live: ServedModel, champion: ScoredRows, challenger: ScoredRows, test: FeatureTable
) -> dict[str, ComparedMetric]:
    """Both models against the groups of the live release; empty when these put all tenants into one."""
    labels = live.grouping.assign(test) if live.grouping else champion.labels
    if len(np.unique(labels)) < 2:
        return {}
    return paired_metrics(replace(champion, labels=labels), replace(challenger, labels=labels))


def _new_definition(by_live_groups: dict[str, ComparedMetric], loss: str) -> str:
    if loss not in by_live_groups:
        return NEW_DEFINITION
    compared = by_live_groups[loss]
    return (
        f"{NEW_DEFINITION} Against the groups of the live release, the {loss.replace('_', ' ')} of the new model is "
        f"{compared.challenger:.4f} and that of the live one {compared.champion:.4f} (difference "
        f"{compared.difference:+.4f}, {compared.low:+.4f} to {compared.high:+.4f})."
    )


def _about_now(model: ServedModel) -> ServedModel:
    """The model without what it knows of the next period: redraws start from what was seen of the tenant itself."""
    if model.grouping is None:
        return model
    rule = model.grouping.model_copy(update={"priors": {}})
    return replace(model, grouping=rule, next_period=NextPeriod())


def _answers(model: ServedModel, tenants: FeatureTable, labels: Floats) -> PublishedRows:
    return published(model, model.scorer.encoding.matrix(tenants), labels, tenants.side.get("exposure_days"))


def _compared_with_gaps(
    live: ServedModel, model: ServedModel, test: FeatureTable, labels: Floats
) -> dict[str, ComparedMetric]:
    """Both models on the same tenants with the same features hidden; only those that both answer."""
    features = model.scorer.manifest.features
    if model.grouping is None or len(features) <= MISSING_FEATURES:
        return {}
    tenants = with_gaps(test, features, MISSING_FEATURES)
    theirs, ours = _answers(live, tenants, labels), _answers(model, tenants, labels)
    if not (theirs.known & ours.known).any():
        return {}
    return paired_metrics(theirs.rows.take(ours.known[theirs.known]), ours.rows.take(theirs.known[ours.known]))


def _new_to_both(
    test: FeatureTable,
    challenger: ScoredRows,
    fitted: FittedTenants | None,
    live: ModelManifest,
    new: ModelManifest,
) -> NDArray[np.bool_] | None:
    """Which tenants of the test part the live model was not fitted on; None when that is unknown, or are too few.

    It is unknown where the live model's rows were split in another way: ``fitted`` is what this use case would fit.
    """
    if fitted is None or fitted.as_of != live.as_of or live.split != new.split:
        return None
    chosen: NDArray[np.bool_] = ~fitted.include(test)
    labels = challenger.labels[chosen]
    return chosen if len(labels) >= LEAST_NEW_TO_BOTH and len(np.unique(labels)) > 1 else None


def _obstacle(live: ModelManifest, new: ModelManifest, test: FeatureTable) -> str | None:
    """Why the live model cannot be asked about these tenants."""
    if (live.task, live.labels) != (new.task, new.labels):
        return (
            f"The live model predicts {', '.join(live.labels) or 'a number'}, the new one "
            f"{', '.join(new.labels) or 'a number'}: they do not answer the same question."
        )
    asked = [
        (each.window_days, each.distribution) if each else None for each in (live.time_to_event, new.time_to_event)
    ]
    if asked[0] != asked[1]:
        return (
            "The live model and the new one differ in labels.window or in the objective: their days until an event are "
            "not the same number."
        )
    missing = [name for name in live.features if name not in test.features]
    if missing:
        return f"The live model needs {', '.join(missing)}, which this release does not have."
    changed = [name for name in live.features if (name in live.categories) != (name in test.categories)]
    return f"{', '.join(changed)} was a category in one release and a number in the other." if changed else None


def paired_metrics(champion: ScoredRows, challenger: ScoredRows) -> dict[str, ComparedMetric]:
    """Each metric that both models have, and the difference with its interval: both on the same rows.

    Without the calibration error: it is never below 0, so the difference of two that may be 0 says nothing.
    """
    theirs, ours = estimates(champion), estimates(challenger)
    compared = {}
    for name, offered in ours.items():
        defended = theirs[name]
        if name != "calibration_error" and defended.bounds is not None and offered.bounds is not None:
            bounds = difference_bounds(name, defended, offered)
            difference = offered.value - defended.value
            compared[name] = ComparedMetric(defended.value, offered.value, difference, *bounds)
    return compared


def difference_bounds(name: str, champion: Estimate, challenger: Estimate) -> Bounds:
    """The 95% interval of ``challenger - champion`` on the same rows.

    It is a t-interval of what the rows contribute; of shares, which few rows may decide, it is made from the intervals
    of both.
    """
    moved, difference = challenger.influence - champion.influence, challenger.value - champion.value
    if not moved.any() and not difference:
        return 0.0, 0.0
    is_perfect = name in ("roc_auc", "concordance") and max(champion.value, challenger.value) == 1
    if name in _BY_ROWS and not is_perfect:
        return t_interval(difference + moved)
    scale = float(np.sqrt((champion.influence**2).sum() * (challenger.influence**2).sum()))
    correlation = float(champion.influence @ challenger.influence) / scale if scale else 0.0
    first, second = champion.bounds or (np.nan, np.nan), challenger.bounds or (np.nan, np.nan)
    return difference_interval(champion.value, first, challenger.value, second, correlation)


def _verdict(compared: ComparedMetric, tolerance: float) -> Verdict:
    if compared.low <= 0 <= compared.high or abs(compared.difference) < tolerance:
        return "equal"
    return "better" if compared.difference < 0 else "worse"

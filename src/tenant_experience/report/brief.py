"""What an approver needs to know of each model that is ready: the part of the brief that EvaluateModel knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tenant_experience.data_layout import group_change_list
from tenant_experience.evaluation.champion import ChampionComparison
from tenant_experience.evaluation.evaluation import PartitionEvaluation, WarningKind
from tenant_experience.features.table import FeatureTable
from tenant_experience.release.brief import (
    MINOR,
    PLAIN,
    SERIOUS,
    About,
    BriefWarning,
    Changes,
    Direction,
    PartitionBrief,
    Share,
)
from tenant_experience.report._words import VERDICTS, metric_names
from tenant_experience.use_case.words import Words

# From here on a warning stands in the first line of the page.
LARGE_TURNOVER = 0.5
LARGE_CHANGE = 0.1
MANY_UNPLACED = 0.1
_FIGURES = ("roc_auc", "pr_auc", "brier", "concordance", "rmse", "mae", "r2")
_ABOUT: dict[WarningKind, About] = {
    "chance": "chance",
    "groups": "groups",
    "time": "model",
    "champion": "champion",
    "unplaced": "groups",
    "rows": "model",
    "fairness": "fairness",
    "pooling": "model",
}


@dataclass(frozen=True)
class Population:
    """Whose records a release has, beside the live release.

    Attributes:
        both: both releases know them.
        new: only this release does.
        gone: only the live release does.
    """

    both: int
    new: int
    gone: int

    @classmethod
    def of(cls, now: FeatureTable, before: FeatureTable) -> Population:
        """By the ids of the records."""
        ours, theirs = np.unique(now.tenant_id), np.unique(before.tenant_id)
        both = len(np.intersect1d(ours, theirs, assume_unique=True))
        return cls(both, len(ours) - both, len(theirs) - both)


def partition_brief(
    evaluation: PartitionEvaluation, shard: int, population: Population | None, offers: Sequence[str]
) -> PartitionBrief:
    """What matters about one model.

    Args:
        evaluation: of the model.
        shard: that it was trained in.
        population: whose records there are; None where nothing is live, or where its records cannot be read.
        offers: what is offered beside its answers, in sentences.
    """
    manifest, champion = evaluation.manifest, evaluation.champion
    return PartitionBrief(
        partition=manifest.partition,
        slug=manifest.slug,
        shard=shard,
        verdict=champion.verdict if champion else "first",
        champion=champion_sentence(champion, evaluation.words),
        records=evaluation.split.records if evaluation.split else evaluation.tenants,
        figures=tuple(_figures(evaluation)),
        share=_share(evaluation),
        changes=_changes(evaluation),
        warnings=tuple(_warnings(evaluation, population)),
        notes=(evaluation.validation.headline, *offers),
        gates=sum(gate.passed for gate in evaluation.gates),
        compared_with=champion.version if champion else "",
    )


def brief_document(briefs: list[PartitionBrief]) -> dict[str, Any]:
    """``brief.json`` of a shard."""
    return {"partitions": [asdict(each) for each in briefs]}


def champion_sentence(champion: ChampionComparison | None, words: Words) -> str:
    """How the new model compares with the live one, and how sure that is."""
    if champion is None:
        return f"No model is live for these {words.records}, so there is nothing to compare with."
    verdict = VERDICTS[champion.verdict].partition(":")[0]
    if champion.loss not in champion.metrics:
        return " ".join([f"{verdict}.", *champion.notes[:1]])
    compared = champion.decisive
    name = metric_names().get(champion.loss, champion.loss).lower()
    between = f"{compared.low:+.4f} and {compared.high:+.4f}"
    if not compared.low and not compared.high:
        certainty = "They do not differ at all."
    elif compared.low <= 0 <= compared.high:
        certainty = f"With 95% certainty the difference lies between {between}, so it may be chance."
    elif champion.verdict == "equal":
        certainty = f"With 95% certainty the difference lies between {between}, which is too small to matter."
    else:
        certainty = f"With 95% certainty the difference lies between {between}, so it is not chance."
    return (
        f"{verdict} ({champion.version}): on the same {words.counted(champion.rows)}{champion.condition} its {name} is "
        f"{compared.challenger:.4f}, and that of the live model {compared.champion:.4f}; less is better. {certainty}"
    )


def _figures(evaluation: PartitionEvaluation) -> Iterator[str]:
    names = metric_names()
    for name in _FIGURES:
        if name in evaluation.metrics:
            bounds = evaluation.intervals.get(name)
            interval = f" ({bounds[0]:.3f} to {bounds[1]:.3f})" if bounds else ""
            yield f"{names[name]} {evaluation.metrics[name]:.3f}{interval}"


def _share(evaluation: PartitionEvaluation) -> Share | None:
    label, now = evaluation.manifest.positive_label, evaluation.bad_share
    if label is None or now is None:
        return None
    change = evaluation.yardstick.change if evaluation.yardstick else None
    if change is None:
        return Share(label, now)
    return Share(label, change.now.share, change.before.share, evaluation.yardstick_sentences[0])


def _changes(evaluation: PartitionEvaluation) -> Changes | None:
    moved, counts = evaluation.moved, evaluation.changes
    if moved is None or counts is None:
        return None
    slug, number = evaluation.manifest.slug, moved.classes.index
    directions = [
        Direction(row.before, row.now, row.tenants, group_change_list(slug, number(row.before), number(row.now)))
        for row in sorted(counts.table, key=lambda row: (number(row.before) - number(row.now), -row.tenants))
        if row.before != row.now
    ]
    return Changes(
        counts.tenants, counts.moved, counts.by_data, counts.by_model, counts.new, counts.gone, tuple(directions)
    )


def _warnings(evaluation: PartitionEvaluation, population: Population | None) -> Iterator[BriefWarning]:
    words = evaluation.words
    if population is not None and (found := _turnover(population, words)):
        yield BriefWarning("population", found, SERIOUS)
    for kind, sentences in evaluation.warned.items():
        for sentence in sentences:
            yield BriefWarning(_ABOUT[kind], sentence, _weight(kind, evaluation))
    change = evaluation.yardstick.change if evaluation.yardstick else None
    if change is not None and change.direction != "unclear":
        large = abs(change.difference) >= LARGE_CHANGE
        for sentence in evaluation.yardstick_sentences:
            yield BriefWarning("change", sentence, SERIOUS if large else PLAIN)


def _turnover(population: Population, words: Words) -> str:
    live = population.both + population.gone
    if not live or population.gone < LARGE_TURNOVER * live:
        return ""
    if not population.both:
        return (
            f"This release replaces the whole population: none of the {words.counted(live)} of the live release is in "
            f"it, and all {words.counted(population.new)} are new. Look whether it is the right file, and whether ids "
            "are written as before."
        )
    return (
        f"Of {words.counted(live)} of the live release {population.gone:,} ({population.gone / live:.1%}) are gone, "
        f"and {population.new:,} are new. Look whether the file is complete, and whether ids are written as before."
    )


def _weight(kind: WarningKind, evaluation: PartitionEvaluation) -> int:
    if kind in ("chance", "champion"):
        return SERIOUS
    if kind == "unplaced":
        share = evaluation.unanswered / max(evaluation.counts["test"].tenants, 1)
        return SERIOUS if share >= MANY_UNPLACED else PLAIN
    return MINOR if kind in ("time", "rows", "pooling") else PLAIN

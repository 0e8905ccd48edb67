"""What the report says of one partition: its figures and plots as the templates name them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tenant_experience.evaluation.evaluation import PartitionEvaluation
from tenant_experience.groups.grouping import Grouping
from tenant_experience.pages.html_page import figure, share
from tenant_experience.report import plots as report_plots
from tenant_experience.report._words import (
    ASPECTS,
    EFFECTS,
    HEADLINES,
    METHODS,
    METRIC_MEANINGS,
    MISSING_METRICS,
    SLICE_METRICS,
)
from tenant_experience.report.pictures import GroupPictures
from tenant_experience.statistics.intervals import auc_interval, wilson_interval
from tenant_experience.use_case.schema import UseCase


def report_part(evaluation: PartitionEvaluation, use_case: UseCase, pictures: GroupPictures | None) -> dict[str, Any]:
    """The content of one partition's part of the page.

    Args:
        evaluation: of its model.
        use_case: aspects of features, limits of groups.
        pictures: of its groups; None when labels come from a column.
    """
    manifest, grouping = evaluation.manifest, evaluation.grouping
    positive = manifest.positive_label
    bad, tenants = evaluation.bad, evaluation.tenants
    used = [row for row in evaluation.importance if row["mean_contribution"]]
    return {
        "evaluation": evaluation,
        "manifest": manifest,
        "grouping": grouping,
        "pictures": pictures,
        "anchor": f"model-{manifest.slug}",
        "title": "All portfolios" if manifest.scale == "global" else f"{_kind(use_case)} {manifest.partition}",
        "positive": positive,
        "negative": manifest.labels[0] if manifest.labels else None,
        "bad_interval": None if bad is None else wilson_interval(bad, tenants),
        "untold_interval": _untold(evaluation),
        "headline": HEADLINES[manifest.task],
        "least": _least(use_case),
        "profile": list(_profile(evaluation, use_case)) if grouping else [],
        "compared_features": [row for row in evaluation.profile if row["probability_worse"] is not None],
        "unknown_features": [row["feature"] for row in evaluation.profile if not _known(row)],
        "firmness": list(_firmness(grouping)) if grouping else [],
        "method": METHODS[grouping.method] if grouping else None,
        "portfolios": sorted(evaluation.portfolios, key=lambda row: (row["rank"] is None, row["rank"] or 0)),
        "confusion": _confusion(evaluation),
        "effect": EFFECTS[manifest.task],
        "used_features": used,
        "unused_features": [row["feature"] for row in evaluation.importance if not row["mean_contribution"]],
        "missing_metric": MISSING_METRICS[manifest.task],
        "slices": [(kind, rows) for kind, rows in evaluation.slices.items() if len(rows) > 1],
        "slice_metrics": SLICE_METRICS[manifest.task],
        "plots": _plots(evaluation, used, _least(use_case)),
    }


def _plots(evaluation: PartitionEvaluation, used: list[dict[str, Any]], least: float) -> dict[str, str | None]:
    task = evaluation.manifest.task
    missing, metric = evaluation.missing_features, MISSING_METRICS[task]
    told = [row for row in missing if None not in (row[metric], row["low"], row["high"])]
    return {
        "difference": report_plots.group_difference(evaluation.profile, least) if evaluation.grouping else None,
        "curves": _curves(evaluation) if evaluation.roc else None,
        "calibration": report_plots.calibration(evaluation.calibration) if evaluation.calibration else None,
        "bands": report_plots.prediction_bands(evaluation.bands) if evaluation.bands else None,
        "importance": report_plots.importance(used, EFFECTS[task]),
        "missing": report_plots.missing_features(told, metric, METRIC_MEANINGS[metric]["name"])
        if len(told) > 1
        else None,
    }


def _curves(evaluation: PartitionEvaluation) -> str:
    test = evaluation.counts["test"]
    share_positive = (test["bad"] or 0) / (test["tenants"] or 1)
    positive = evaluation.manifest.positive_label or "positive"
    return report_plots.curves(evaluation.roc, evaluation.precision_recall, share_positive, positive)


def _profile(evaluation: PartitionEvaluation, use_case: UseCase) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Service and demand apart, each with what it means; features that nobody has are told elsewhere."""
    for aspect, (title, meaning) in ASPECTS.items():
        rows = [
            row | {"interval": _worse_interval(row)}
            for row in evaluation.profile
            if _known(row) and use_case.features[row["feature"]].aspect == aspect
        ]
        if rows:
            yield title, meaning, rows


def _kind(use_case: UseCase) -> str:
    """What a partition is called: portfolio, dimension."""
    return use_case.partition_column.removesuffix("_id").replace("_", " ").capitalize()


def _least(use_case: UseCase) -> float:
    """The least P(worse) of a marker."""
    return use_case.clustering.limits.probability_worse if use_case.clustering else 0.5


def _untold(evaluation: PartitionEvaluation) -> tuple[float, float] | None:
    told = evaluation.uncertainty
    return wilson_interval(told["cannot_be_told"], told["tenants"]) if told else None


def _worse_interval(row: dict[str, Any]) -> tuple[float, float] | None:
    if row["probability_worse"] is None:
        return None
    return auc_interval(row["probability_worse"], row["bad"]["known"], row["good"]["known"])


def _known(row: dict[str, Any]) -> int:
    return int(row["good"]["known"] or row["bad"]["known"])


def _confusion(evaluation: PartitionEvaluation) -> dict[str, Any]:
    """Labels and a matrix, whatever the task: a row is a class, a column an answer."""
    told = evaluation.confusion
    if evaluation.manifest.task != "binary":
        return told
    matrix = [
        [told["true_negative"], told["false_positive"]],
        [told["false_negative"], told["true_positive"]],
    ]
    return {"labels": evaluation.manifest.labels, "matrix": matrix}


def _firmness(grouping: Grouping) -> Iterator[tuple[str, str, str, str]]:
    """How stable the groups are, and whether there is more to them than a cut: question, meaning, figure, its range."""
    if grouping.stability:
        yield (
            "Would other tenants give the same groups?",
            f"Adjusted Rand index, the median of {grouping.stability.refits} refits on redrawn tenants; 1: the same.",
            figure(grouping.stability.ari_median),
            f"the least {figure(grouping.stability.ari_minimum)}",
        )
    yield (
        "How much of the markers' variation do the groups explain?",
        "Of the standardised markers, on the tenants that decided the groups.",
        share(grouping.explained_variance),
        "",
    )
    if grouping.permuted_variance is not None:
        yield (
            "How much would groups in data without structure?",
            "The most of all refits on the same columns, each shuffled for itself.",
            share(grouping.permuted_variance),
            "",
        )
    if grouping.copula_variance is not None:
        yield (
            "How much would groups in a continuum?",
            "The same margins and correlations without any gap: little less means a cut through a continuum.",
            share(grouping.copula_variance),
            "",
        )
    if grouping.service_auc is not None:
        yield (
            "How well does service alone tell the groups apart?",
            "ROC AUC of the service features without those of demand: near 0.5, the groups are contact volume.",
            figure(grouping.service_auc),
            "",
        )

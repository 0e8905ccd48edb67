"""``report.html``: one self-contained page per shard, for the person who approves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tenant_experience import report_plots
from tenant_experience.evaluation import PartitionEvaluation
from tenant_experience.group_checks import LEAST_PROBABILITY_WORSE
from tenant_experience.html_page import render
from tenant_experience.ingestion_result import IngestionResult
from tenant_experience.partition_runs import READY, Row

TEMPLATE = "report.html.j2"
PORTFOLIO_LIMIT = 200
FAILED_RECORDS_LIMIT = 100

# What each metric is called, and what it says in a sentence that needs no statistics.
METRIC_MEANINGS = {
    name: {"name": title, "meaning": meaning}
    for name, title, meaning in (
        ("roc_auc", "ROC AUC", "Chance that a bad tenant gets a higher probability than a good one; 0.5 is guessing."),
        ("pr_auc", "PR AUC", "Precision averaged over all thresholds; guessing gives the share of bad."),
        ("log_loss", "Log loss", "Punishes confident mistakes: 0 is perfect, guessing half and half gives 0.69."),
        ("brier", "Brier score", "Mean squared error of the probability: 0 is perfect, half and half gives 0.25."),
        ("f1", "F1", "Balance of precision and recall: 1 is perfect."),
        ("precision", "Precision", "Of the tenants called bad, the share that is."),
        ("recall", "Recall", "Of the bad tenants, the share that is called bad."),
        ("accuracy", "Accuracy", "Share of right answers."),
        ("calibration_error", "Calibration error", "How far a probability is from what comes true, on average."),
        ("rmse", "Root mean squared error", "How far a number is off; large misses count more."),
        ("mae", "Mean absolute error", "How far a number is off, on average."),
        ("r2", "R squared", "Share of the differences between tenants that is foretold: 1 is all, 0 none."),
    )
}


def render_report(
    release: str,
    shard: int,
    rows: Sequence[Row],
    evaluations: Sequence[PartitionEvaluation],
    ingestion: IngestionResult,
) -> str:
    """The page.

    Args:
        release: the release's id.
        shard: the shard's number.
        rows: a row per partition of the shard, ready or not.
        evaluations: of the ready ones.
        ingestion: what became of the whole release's features; without records there is no section about it.

    Returns:
        HTML without any address to fetch; everything from the data is escaped.
    """
    return render(
        TEMPLATE,
        release=release,
        shard=shard,
        refused=[row for row in rows if row["status"] != READY],
        partitions=[_partition(evaluation) for evaluation in evaluations],
        metric_meanings=METRIC_MEANINGS,
        portfolio_limit=PORTFOLIO_LIMIT,
        ingestion=ingestion,
        failed_records=list(ingestion.failed.items())[:FAILED_RECORDS_LIMIT],
        least_probability_worse=LEAST_PROBABILITY_WORSE,
    )


def _partition(evaluation: PartitionEvaluation) -> dict[str, Any]:
    test, manifest = evaluation.counts["test"], evaluation.manifest
    return {
        "evaluation": evaluation,
        "manifest": manifest,
        "grouping": evaluation.grouping,
        "negative": next(name for name in manifest.labels if name != manifest.positive_label),
        "known_features": [row for row in evaluation.profile if row["good"]["known"] or row["bad"]["known"]],
        "unknown_features": [
            row["feature"] for row in evaluation.profile if not (row["good"]["known"] or row["bad"]["known"])
        ],
        "plots": {
            "difference": report_plots.group_difference(evaluation.profile, LEAST_PROBABILITY_WORSE),
            "curves": report_plots.curves(evaluation.roc, evaluation.precision_recall, test["bad"] / test["tenants"]),
            "calibration": report_plots.calibration(evaluation.calibration),
            "importance": report_plots.importance(evaluation.importance),
        },
    }

"""``outcome_scores.csv``: scores trained on outcomes, where they are better than the published answers."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tenant_experience.data_layout import OUTCOME_SCORES_TABLE
from tenant_experience.evaluation.evaluation import PartitionEvaluation
from tenant_experience.text_cell import id_cell, text_cell


def write_outcome_scores(evaluations: Sequence[PartitionEvaluation], folder: Path, record_id: str) -> None:
    """Writes a row for each tenant, the likeliest bad ending first; no file where no score is better.

    Args:
        evaluations: of the models that are ready.
        folder: exists.
        record_id: the name of the column of ids, by which the erasure finds it.
    """
    better = [(each.manifest.partition, score) for each in evaluations for score in each.supervised if score.is_better]
    if not better:
        return
    with (folder / OUTCOME_SCORES_TABLE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("partition", "outcome", record_id, "probability_bad"))
        for partition, score in better:
            order = np.lexsort((score.tenant_id, -score.probability_bad))
            ids, chances = score.tenant_id[order].tolist(), score.probability_bad[order].tolist()
            for tenant, chance in zip(ids, chances, strict=True):
                writer.writerow((text_cell(partition), score.kind, id_cell(tenant), f"{chance:.4f}"))

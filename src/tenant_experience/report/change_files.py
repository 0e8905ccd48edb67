"""``changes/<slug>/<before>-<now>.csv``: who changes group since the live release, each with the reason in words.

A file for each direction, the clearest first, so that the approval page reads only the rows that it shows. The column
of ids is called as the use case calls it: so the erasure finds it.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tenant_experience.data_layout import group_change_list
from tenant_experience.evaluation.evaluation import PartitionEvaluation
from tenant_experience.features.table import FeatureTable
from tenant_experience.models.served_model import ServedModel
from tenant_experience.pages.html_page import words as readable_name
from tenant_experience.statistics.arrays import Floats
from tenant_experience.text_cell import id_cell, text_cell
from tenant_experience.use_case.schema import UseCase

# Of the features that speak for the new group, so many are named.
_NAMED = 2
# So many records are explained at a time.
_CHUNK = 50_000
MOVED_BY = ("its own figures", "the new rule", "both")


def write_change_lists(
    evaluation: PartitionEvaluation, now: FeatureTable, before: FeatureTable, use_case: UseCase, folder: Path
) -> None:
    """Writes the lists of one partition below ``folder``; none where nobody changes.

    Args:
        evaluation: its ``moved`` says who changes.
        now: the partition's records with the features of this release.
        before: the same with those of the live release.
        use_case: what features and records are called.
        folder: of the shard's reports.
    """
    moved = evaluation.moved
    if moved is None or not (moved.before != moved.now).any():
        return
    chosen = np.flatnonzero(moved.before != moved.now)
    # Before the last row of each record: a record may have several that a model learns from.
    now_rows, then_rows = (_rows_of(table, moved.tenant_id[chosen]) for table in (now, before))
    model = ServedModel.load(evaluation.folder)
    toward = _contributions(model, now.take(now_rows), moved.now[chosen].astype(int))
    by_data = moved.before[chosen] != moved.moved_by_data[chosen]
    by_model = moved.moved_by_data[chosen] != moved.now[chosen]
    cause = np.where(by_data & by_model, 2, np.where(by_model, 1, 0))
    for old, new in sorted(set(zip(moved.before[chosen].tolist(), moved.now[chosen].tolist(), strict=True))):
        rows = np.flatnonzero((moved.before[chosen] == old) & (moved.now[chosen] == new))
        rows = rows[np.argsort(-np.maximum(toward[rows], 0).sum(axis=1), kind="stable")]
        path = folder / group_change_list(evaluation.manifest.slug, int(old), int(new))
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([use_case.record_id, "partition", "moved_by", "why"])
            for row in rows.tolist():
                features = model.scorer.manifest.features
                why = _why(toward[row], features, now, now_rows[row], before, then_rows[row], use_case)
                record, partition = moved.tenant_id[chosen[row]], moved.portfolio_id[chosen[row]]
                writer.writerow([id_cell(str(record)), text_cell(str(partition)), MOVED_BY[cause[row]], text_cell(why)])


def _rows_of(table: FeatureTable, ids: NDArray[np.str_]) -> NDArray[np.intp]:
    order = np.argsort(table.tenant_id, kind="stable")
    return np.asarray(order[np.searchsorted(table.tenant_id[order], ids)])


def _contributions(model: ServedModel, records: FeatureTable, label: NDArray[np.int_]) -> Floats:
    """(records, features) how strongly each feature speaks for the record's new group."""
    parts = []
    for start in range(0, len(records), _CHUNK):
        some = records.take(np.arange(start, min(start + _CHUNK, len(records))))
        reasons = model.label_reasons(model.scorer.encoding.matrix(some))
        speaks_for = label[start : start + _CHUNK] if reasons.label is None else reasons.label
        parts.append(
            np.where((speaks_for == label[start : start + _CHUNK])[:, np.newaxis], 1, -1) * reasons.contributions
        )
    return np.concatenate(parts)


def _why(
    toward: Floats,
    features: list[str] | tuple[str, ...],
    now: FeatureTable,
    now_row: int,
    before: FeatureTable,
    then_row: int,
    use_case: UseCase,
) -> str:
    """The features that speak most for the new group, each with what it is now and what it was."""
    said = []
    for place in np.argsort(-toward, kind="stable")[:_NAMED].tolist():
        if toward[place] > 0:
            name = features[place]
            called = (use_case.features[name].words if name in use_case.features else None) or readable_name(name)
            value, earlier = _value(now, name, now_row), _value(before, name, then_row)
            said.append(f"{called}: {value}" + (" as before" if value == earlier else f", before {earlier}"))
    return "; ".join(said) or "too little is known, so it has the group of most"


def _value(table: FeatureTable, name: str, row: int) -> str:
    if name not in table.features:
        return "not known"
    value = float(table.column(name)[row])
    if np.isnan(value):
        return "not known"
    if name in table.categories:
        return str(table.categories[name][int(value)])
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"

"""The parts of a split as SageMaker's own XGBoost reads them: CSV with the label first, without a header.

The features are encoded as the release's own model reads them. Such a file cannot name whose its rows are, so another
one beside it does, row for row: without it, nobody could be erased from it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tenant_experience.data_layout import EXAMPLE_ID, SPLIT_COLUMNS_FILE, SPLIT_ROWS_FILE, SPLIT_TABLE
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.file import GroupRows
from tenant_experience.models.encoding import Encoding
from tenant_experience.statistics.splitting import SHARES, TRAIN
from tenant_experience.training.training import fit_encoding
from tenant_experience.use_case.schema import UseCase

_OPTIONS = pa_csv.WriteOptions(include_header=False, quoting_style="none")


def write_split_files(folder: Path, groups: GroupRows, table: FeatureTable, use_case: UseCase) -> None:
    """Writes ``train.csv``, ``validation.csv`` and ``test.csv``, whose rows they have, and ``columns.json``.

    Nothing is written where no feature tells rows of the training part apart: there will be no model.

    Args:
        folder: of the partition; made when missing.
        groups: the partition's rows with their labels and parts.
        table: features of these rows.
        use_case: names the label.
    """
    aligned = groups.align(table)
    encoding, left_out = fit_encoding(aligned.take(groups.split == TRAIN), use_case.read_sequences.values())
    if not encoding.features:
        return
    folder.mkdir(parents=True, exist_ok=True)
    window = use_case.labels.horizon_days
    if window is not None:
        # One column cannot say that a time is censored, and counted up to the window no time is.
        groups = replace(groups, label=np.minimum(groups.label, window))
    for part in SHARES:
        chosen = groups.split == part
        rows = groups.take(chosen)
        _write_table(folder / SPLIT_TABLE.format(part), rows, encoding, aligned.take(chosen))
        _write_rows(folder / SPLIT_ROWS_FILE.format(part), rows)
    document = {
        "label": use_case.labels.column or "group",
        "classes": list(groups.classes or ()),
        **({} if window is None else {"days_up_to": window}),
        "columns": ["label", *encoding.columns],
        "categories": {name: list(values) for name, values in encoding.categories.items()},
        "left_out": left_out,
        "split": {"by": use_case.split_unit, "time": use_case.split.time},
    }
    (folder / SPLIT_COLUMNS_FILE).write_text(json.dumps(document, indent=1) + "\n")


def _write_table(path: Path, rows: GroupRows, encoding: Encoding, table: FeatureTable) -> None:
    """A number is written as the shortest text from which the same 32-bit number is read; a missing one as nothing."""
    matrix = encoding.matrix(table)
    columns = [rows.label.astype(np.float32), *(matrix[:, place] for place in range(matrix.shape[1]))]
    arrays = [pa.array(np.ascontiguousarray(column), from_pandas=True) for column in columns]
    pa_csv.write_csv(pa.table(arrays, names=["label", *encoding.columns]), path, _OPTIONS)


def _write_rows(path: Path, rows: GroupRows) -> None:
    examples = {} if rows.examples is None else {EXAMPLE_ID: pa.array(rows.examples.tolist(), pa.string())}
    pq.write_table(pa.table({"tenant_id": pa.array(rows.tenant_id.tolist(), pa.string()), **examples}), path)

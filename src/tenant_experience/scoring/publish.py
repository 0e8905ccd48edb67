"""The answers of a run in one place: what the PublishAnswers job does but for the answer table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from tenant_experience.api.kept_answer import Row
from tenant_experience.data_layout import FEATURES_FILE, predictions_file
from tenant_experience.errors import PlatformError
from tenant_experience.scoring.answers import Run, read_answers, read_transformed, write_csv, write_rows
from tenant_experience.scoring.served_rows import read_rows

ROWS_PER_FILE = 250_000


def answers_of(prepared: Path, answered: Path, run: Run) -> Iterator[Row]:
    """Every answer of a run: of the processing job, of batch transforms, and of those that no model is asked about.

    Args:
        prepared: what PrepareScoring wrote.
        answered: ``*.parquet`` of the processing job, and ``*.out`` of batch transforms, in folders.
        run: whose answers they are.
    """
    for path in sorted(answered.rglob("*.parquet")):
        yield from read_answers(path)
    transformed = sorted(answered.rglob("*.out"))
    predictions = dict(read_transformed(transformed)) if transformed else {}
    for rows in read_rows(prepared / FEATURES_FILE, run.use_case):
        for tenant in rows.tenants:
            if not tenant.may_be_predicted:
                yield run.row(tenant, None)
            elif tenant.tenant_id in predictions:
                yield run.row(tenant, predictions[tenant.tenant_id])


def write_files(rows: Iterable[Row], folder: Path, *, csv: bool, per_file: int = ROWS_PER_FILE) -> int:
    """Writes ``part-NNNNN.parquet`` files, at least one, and the same rows as CSV if that is asked for.

    Returns:
        How many rows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    left, total, place = iter(rows), 0, 0
    while True:
        path = folder / predictions_file(place)
        written = write_rows(islice(left, per_file), path)
        if not written and place:
            path.unlink()
            return total
        if csv:
            write_csv(read_answers(path), folder / predictions_file(place, "csv"))
        total, place = total + written, place + 1


def read_files(folder: Path) -> Iterator[Row]:
    """The reverse of ``write_files``."""
    for path in sorted(folder.glob("*.parquet")):
        yield from read_answers(path)


def check_counts(counts: Mapping[str, int], answers: int) -> None:
    """Makes sure that every record was answered exactly once, or is among the errors.

    Raises:
        PlatformError: ``counts_differ``.
    """
    missing = counts["to_answer"] - answers
    if missing or counts["records"] != answers + counts["errors"]:
        raise PlatformError(
            f"{counts['records']} records were to be answered; {answers} were, and {counts['errors']} are among the "
            "errors, so nothing was published: look at what the batch transforms and the processing job wrote, below "
            "scoring/",
            code="counts_differ",
        )

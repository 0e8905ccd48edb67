"""The answers of a run in one place: what the PublishAnswers job does but for the answer table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tenant_experience.api.kept_answer import Row
from tenant_experience.api.prediction import ModelPrediction
from tenant_experience.data_layout import ERRORS_FILE, FEATURES_FILE, PLAN_FILE, predictions_file
from tenant_experience.errors import PlatformError
from tenant_experience.scoring.answers import Run, read_answers, read_transformed, write_csv, write_rows
from tenant_experience.scoring.served_rows import read_rows

ROWS_PER_FILE = 250_000
# The reason of a record whose line the container refused.
REFUSED = "refused_by_model"


class Answers:
    """Every answer of a run: of the processing job, of batch transforms, and of those that no model is asked about.

    Attributes:
        refused: the records that the container refused to answer, in the form of the errors; filled by iterating.
    """

    def __init__(self, prepared: Path, answered: Path, run: Run) -> None:
        """Nothing is read yet.

        Args:
            prepared: what PrepareScoring wrote.
            answered: ``*.parquet`` of the processing job, and ``*.out`` of batch transforms, in folders.
            run: whose answers they are.
        """
        self.refused: list[Row] = []
        self._prepared = prepared
        self._answered = answered
        self._run = run

    def __iter__(self) -> Iterator[Row]:
        """A few thousand rows at a time, however many there are.

        Raises:
            PlatformError: ``counts_differ``, when a batch transform answered other rows than it was asked for.
        """
        for path in sorted(self._answered.rglob("*.parquet")):
            yield from read_answers(path)
        transforms = self._transforms()
        for rows in read_rows(self._prepared / FEATURES_FILE, self._run.use_case):
            for tenant in rows.tenants:
                if not tenant.may_be_predicted:
                    yield self._run.row(tenant, None)
                elif tenant.partition_slug in transforms:
                    record, answer = next(transforms[tenant.partition_slug], ("", None))
                    if record != tenant.tenant_id:
                        raise _transform_differs(tenant.partition_slug)
                    if answer is None:
                        named = {"record_id": tenant.tenant_id, "portfolio_id": tenant.portfolio_id}
                        self.refused.append({**named, "reason": REFUSED, "column_name": "", "file": None, "line": None})
                    else:
                        yield self._run.row(tenant, answer)

    def _transforms(self) -> dict[str, Iterator[tuple[str, ModelPrediction | None]]]:
        """Partition -> what its batch transform answered; partitions of one model share its answers."""
        plan = json.loads((self._prepared / PLAN_FILE).read_text())
        found: dict[str, Iterator[tuple[str, ModelPrediction | None]]] = {}
        for item in (each for each in plan["items"] if each["kind"] == "transform"):
            answers = in_order(sorted((self._answered / item["slug"]).rglob("*.out")))
            found |= dict.fromkeys(item["partitions"], answers)
        return found


def in_order(paths: Sequence[Path]) -> Iterator[tuple[str, ModelPrediction | None]]:
    """The answers of one batch transform in the order in which PrepareScoring dealt the rows out to its files."""
    for answers in cycle([read_transformed(path) for path in paths]):
        try:
            yield next(answers)
        except StopIteration:
            return


def _transform_differs(slug: str) -> PlatformError:
    return PlatformError(
        f"the batch transform of partition {slug} answered other rows than it was asked for, so nothing was published: "
        "look at what it wrote, below scoring/",
        code="counts_differ",
    )


def write_errors(prepared: Path, refused: Sequence[Row], path: Path) -> None:
    """Writes the errors that PrepareScoring found, and what the container refused."""
    errors = pq.read_table(prepared / ERRORS_FILE)
    more = pa.Table.from_pylist(list(refused), errors.schema)
    pq.write_table(pa.concat_tables([errors, more]), path)


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


def check_counts(counts: Mapping[str, int], answers: int, refused: int) -> None:
    """Makes sure that every record was answered exactly once, or is among the errors.

    Raises:
        PlatformError: ``counts_differ``.
    """
    if counts["to_answer"] != answers + refused or counts["records"] != answers + refused + counts["errors"]:
        raise PlatformError(
            f"{counts['records']} records were to be answered; {answers} were, and {counts['errors'] + refused} are "
            "among the errors, so nothing was published: look at what the batch transforms and the processing job "
            "wrote, below scoring/",
            code="counts_differ",
        )

"""What a transform job does with the bytes: splits, batches, filters, joins and assembles records.

Sources: https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html and the API reference of
TransformInput, TransformOutput and DataProcessing.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local_aws.sagemaker.jobs.json_path import JsonPath, PathError

CSV = "text/csv"
_JSON = ("application/json", "application/jsonlines", "application/x-jsonlines")


class RecordError(Exception):
    """The input or the container's answer does not fit the job's settings."""


@dataclass(frozen=True)
class Processing:
    """How one job treats records."""

    split: bool  # into lines
    single: bool  # one record a request
    maximum: int  # bytes of a request; 0: any number
    assemble: bool  # a line end behind every record
    content_type: str
    accept: str
    input_filter: JsonPath
    output_filter: JsonPath
    join: bool

    @property
    def untouched(self) -> bool:
        """Whether the container's answer is written unchanged."""
        return self.output_filter.text == "$" and not self.join

    def batches(self, body: bytes) -> list[list[bytes]]:
        """The records of each request.

        Raises:
            RecordError: one record is larger than a request may be.
        """
        records = [line.rstrip(b"\r") for line in body.split(b"\n") if line.strip()] if self.split else [body]
        found: list[list[bytes]] = []
        size = 0
        for record in records:
            weight = len(record) + (1 if self.split else 0)
            if self.maximum and len(record) > self.maximum:
                raise RecordError(f"a record of {len(record)} bytes is larger than MaxPayloadInMB allows")
            if not found or self.single or not self.split or (self.maximum and size + weight > self.maximum):
                found.append([])
                size = 0
            found[-1].append(record)
            size += weight
        return found

    def payload(self, records: Sequence[bytes]) -> bytes:
        """The body of a request.

        Raises:
            RecordError: InputFilter does not fit a record.
        """
        if self.input_filter.text != "$":
            records = [
                _write(_select(self.input_filter, _read(each, self.content_type)), self.content_type)
                for each in records
            ]
        return b"\n".join(records) if self.split else records[0]

    def result(self, records: Sequence[bytes], answer: bytes, content_type: str) -> bytes:
        """What is written for a request.

        Raises:
            RecordError: there is not one answer for each record, or a filter does not fit.
        """
        if self.untouched:
            return _with_line_end(answer) if self.assemble else answer
        answers = [line for line in answer.split(b"\n") if line.strip()] if self.split else [answer]
        if len(answers) != len(records):
            raise RecordError(f"{len(answers)} answers for {len(records)} records: they cannot be joined or filtered")
        rows = [self._row(record, each, content_type) for record, each in zip(records, answers, strict=True)]
        return b"".join(_with_line_end(row) for row in rows) if self.assemble else b"".join(rows)

    def _row(self, record: bytes, answer: bytes, content_type: str) -> bytes:
        kind = _kind(self.accept or content_type)
        found = _read(answer, kind)
        if self.join:
            found = _joined(_read(record, self.content_type), found, _kind(self.content_type), kind)
        return _write(_select(self.output_filter, found), kind)


def _joined(given: Any, found: Any, given_kind: str, found_kind: str) -> Any:
    if given_kind != found_kind:
        raise RecordError(f"JoinSource needs input and output of one type, not {given_kind} and {found_kind}")
    if given_kind == CSV:
        return [*given, *found]
    if isinstance(given, dict):
        return {**given, "SageMakerOutput": found}
    return {"SageMakerInput": given, "SageMakerOutput": found}


def _kind(content_type: str) -> str:
    plain = content_type.partition(";")[0].strip().lower()
    if plain == CSV:
        return CSV
    if plain in _JSON:
        return _JSON[0]
    raise RecordError(f"DataProcessing takes CSV and JSON, not {content_type or 'data without a ContentType'}")


def _read(record: bytes, content_type: str) -> Any:
    text = record.decode(errors="replace")
    if _kind(content_type) == CSV:
        return next(csv.reader(io.StringIO(text.strip("\r\n"))), [])
    try:
        return json.loads(text)
    except ValueError as error:
        raise RecordError(f"a record is not JSON: {error}") from error


def _write(value: Any, content_type: str) -> bytes:
    if _kind(content_type) != CSV:
        return json.dumps(value).encode()
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(value if isinstance(value, list) else [value])
    return out.getvalue().encode()


def _select(path: JsonPath, value: Any) -> Any:
    try:
        return path.select(value)
    except PathError as error:
        raise RecordError(str(error)) from error


def _with_line_end(row: bytes) -> bytes:
    return row if row.endswith(b"\n") or not row else row + b"\n"

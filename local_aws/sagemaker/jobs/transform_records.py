"""What a transform job does with the bytes: splits, batches, filters, joins and assembles records.

Sources: https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html and the API reference of
TransformInput, TransformOutput and DataProcessing.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from local_aws.sagemaker.jobs.json_path import JsonPath, PathError

CSV = "text/csv"
_JSON = "application/json"
_JSON_LINES = ("application/jsonlines", "application/x-jsonlines")


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

    def batches(self, file: io.BufferedIOBase) -> Iterator[list[bytes]]:
        """The records of each request. No more of the file is in memory than one request.

        Raises:
            RecordError: one record is larger than a request may be.
        """
        if not self.split:
            yield [self._fitting(file.read(self.maximum + 1) if self.maximum else file.read())]
            return
        found: list[bytes] = []
        size = 0
        for record in self._records(file):
            weight = len(record) + 1
            if found and (self.single or (self.maximum and size + weight > self.maximum)):
                yield found
                found, size = [], 0
            found.append(record)
            size += weight
        if found:
            yield found

    def _records(self, file: io.BufferedIOBase) -> Iterator[bytes]:
        longest = self.maximum + 2 if self.maximum else -1
        while line := file.readline(longest):
            record = self._fitting(line.removesuffix(b"\n").rstrip(b"\r"))
            if record.strip():
                yield record

    def _fitting(self, record: bytes) -> bytes:
        if self.maximum and len(record) > self.maximum:
            raise RecordError(f"a record is larger than MaxPayloadInMB allows ({self.maximum} bytes)")
        return record

    def payload(self, records: Sequence[bytes]) -> bytes:
        """The body of a request.

        Raises:
            RecordError: InputFilter does not fit a record.
        """
        if self.input_filter.text != "$":
            kind = _kind(self.content_type)
            records = [_write(_select(self.input_filter, _read(each, kind)), kind) for each in self._rows(records)]
        return b"\n".join(records)

    def result(self, records: Sequence[bytes], answer: bytes, content_type: str) -> bytes:
        """What is written for a request: its records in their order.

        Raises:
            RecordError: there is not one answer for each record, or a filter does not fit.
        """
        if self.untouched:
            return _with_line_end(answer) if self.assemble else answer
        kind = content_type if self.accept in {"", "*/*"} else self.accept
        given = self._rows(records)
        answers = _lines(answer) if len(given) > 1 or _is_lines(kind) else [answer]
        if len(answers) != len(given):
            raise RecordError(f"{len(answers)} answers for {len(given)} records: they cannot be joined or filtered")
        rows = [self._row(record, each, _kind(kind)) for record, each in zip(given, answers, strict=True)]
        if self.assemble or len(rows) > 1:
            return b"".join(_with_line_end(row) for row in rows)
        return rows[0] if rows else b""

    def _rows(self, records: Sequence[bytes]) -> Sequence[bytes]:
        """The records of a request. A whole object of CSV or JSON lines has one in every line."""
        return records if self.split or not _is_lines(self.content_type) else _lines(records[0])

    def _row(self, record: bytes, answer: bytes, kind: str) -> bytes:
        found = _read(answer, kind)
        if self.join:
            given_kind = _kind(self.content_type)
            found = _joined(_read(record, given_kind), found, given_kind, kind)
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
    plain = _plain(content_type)
    if plain == CSV:
        return CSV
    if plain in {_JSON, *_JSON_LINES}:
        return _JSON
    raise RecordError(f"DataProcessing takes CSV and JSON, not {content_type or 'data without a ContentType'}")


def _is_lines(content_type: str) -> bool:
    return _plain(content_type) in {CSV, *_JSON_LINES}


def _plain(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _lines(body: bytes) -> list[bytes]:
    return [line for line in body.split(b"\n") if line.strip()]


def _read(record: bytes, kind: str) -> Any:
    try:
        text = record.decode()
    except UnicodeDecodeError as error:
        raise RecordError(f"a record is not UTF-8: {error}") from error
    try:
        if kind == CSV:
            return next(csv.reader(io.StringIO(text.strip("\r\n"))), [])
        return json.loads(text, parse_constant=_no_number)
    except (csv.Error, ValueError, RecursionError) as error:
        raise RecordError(f"a record is not {'CSV' if kind == CSV else 'JSON'}: {error}") from error


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no value of JSON")


def _write(value: Any, kind: str) -> bytes:
    if kind != CSV:
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

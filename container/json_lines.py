"""``application/jsonlines``: a tenant in each line of the request, and its answer in the same line of the answer.

This is how batch transform scores files that are larger than a request. It joins answers to lines by their place and
fails a whole job for one refused request, so a wrong line is answered in its place and refuses nothing else.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from container.answers import in_words
from container.batch import Batch
from container.instances import InstanceReader, Rows
from container.json_requests import refuse_constant
from container.line_writer import model_said, scored_lines
from container.serving_errors import BadRequestError, TooLargeError
from tenant_experience.json_document import parse_json
from tenant_experience.models.encoding import Encoding
from tenant_experience.models.served_model import ServedModel
from tenant_experience.prediction_status import PredictionStatus

# A body of 6 MiB has fewer lines that could be right. An answer is longer than an empty line, so there is a limit.
MOST_LINES = 1_000_000
_SPACE = " \t\r\n"
_BLANK = _SPACE.encode()
LINES_AT_ONCE = 1_024
_DECODER = json.JSONDecoder(parse_constant=refuse_constant)


def answer_lines(body: bytes, model: ServedModel, *, explain: bool) -> bytes:
    """An answer for each line of ``body``, in its order; of each, what JSON answers, with model version and scale.

    A line is ``{"tenant_id": "...", "features": {...}, "exposure_days": 365}``, as an instance of JSON, but features
    that the model does not read are ignored. A wrong line is answered with the status ``refused`` and its error. Empty
    lines at the end are no lines.

    Args:
        body: as it was sent.
        model: answers.
        explain: whether contributions are wanted.

    Raises:
        TooLargeError: there are more than ``MOST_LINES`` lines.
    """
    text = body.removeprefix(codecs.BOM_UTF8).rstrip(_BLANK)
    if (count := text.count(b"\n") + 1) > MOST_LINES:
        raise TooLargeError(f"the body has {count} lines, more than {MOST_LINES}; send fewer lines at a time")
    # Not by splitlines, which would also split within texts: at characters that are ends of lines only to Python.
    lines = text.split(b"\n") if text else []
    return b"".join(
        _answered(lines[first : first + LINES_AT_ONCE], model, explain=explain)
        for first in range(0, len(lines), LINES_AT_ONCE)
    )


def _answered(lines: Sequence[bytes], model: ServedModel, *, explain: bool) -> bytes:
    batch, refused = read_lines(lines, model.scorer.encoding, explain=explain)
    manifest, published = model.scorer.manifest, model.publish(batch.values, batch.exposure_days)
    # Most are alike and written together. The others have other fields, or a number that JSON cannot say.
    alike = published.known & np.isfinite(published.outputs).reshape(len(lines), -1).all(axis=1)
    alike[[*refused, *batch.unknown_categories]] = False
    together, apart = np.flatnonzero(alike), np.flatnonzero(~alike)
    written: list[str] = [""] * len(lines)
    some, found = batch.take(together), published.take(together)
    reasons = model.reasons(some.values, found) if explain else None
    for row, line in zip(
        together.tolist(), scored_lines(some.tenant_ids, model.in_columns(found), reasons, manifest), strict=True
    ):
        written[row] = line
    others = batch.take(apart)
    for row, tenant_id, answer in zip(
        apart.tolist(), others.tenant_ids, in_words(others, model, published.take(apart)), strict=True
    ):
        named = {} if tenant_id is None else {"tenant_id": tenant_id}
        said = _refusal(refused[row]) if row in refused else answer
        written[row] = json.dumps(named | said | model_said(manifest), allow_nan=False) + "\n"
    return "".join(written).encode()


def _refusal(error: BadRequestError) -> dict[str, Any]:
    return {"status": PredictionStatus.REFUSED, "error": {"code": error.code, "message": str(error)}}


def read_lines(
    lines: Sequence[bytes], encoding: Encoding, *, explain: bool
) -> tuple[Batch, dict[int, BadRequestError]]:
    """The tenants of the lines, and why some are refused: of these, nothing is known but their ids."""
    reader = InstanceReader(encoding, ignore_unknown=True)
    rows = Rows.missing(len(lines), encoding)
    refused: dict[int, BadRequestError] = {}
    instances = list(map(_plain_instance, lines))
    for place in reader.read_plain(instances, rows):
        try:
            instance = _instance(lines[place])
            if isinstance(instance, dict) and isinstance(named := instance.get("tenant_id"), str):
                rows.tenant_ids[place] = named
            reader.read(instance, place, rows, "the line")
        except BadRequestError as error:
            refused[place] = error
    for place, column in np.argwhere(np.isinf(rows.values)).tolist():
        name = encoding.columns[column]
        refused.setdefault(place, BadRequestError(f"the line: {name} is infinite or too large for a 32-bit number"))
    rows.values[list(refused)] = np.nan
    return Batch(rows.values, rows.tenant_ids, rows.days, rows.unknown_categories, explain), refused


def _plain_instance(line: bytes) -> Any:
    """What the line says, where that takes no care; else None, and ``_instance`` reads it.

    Care is taken of a key that stands twice in an object: Python would keep the last one. Each key is followed by a
    colon. So where there are as many colons as keys that were kept, none was lost, and no object is within a feature.
    """
    try:
        text = line.decode().strip(_SPACE)
        instance, end = _DECODER.raw_decode(text)
        if end == len(text) and text.count(":") == len(instance) + len(instance["features"]):
            return instance
    except (ValueError, RecursionError, LookupError, TypeError):
        pass
    return None


def _instance(line: bytes) -> Any:
    """What the line says.

    Raises:
        BadRequestError: it is not JSON.
    """
    try:
        return parse_json(line.decode(), refuse_constant)
    except UnicodeDecodeError as error:
        raise BadRequestError(f"the line is not UTF-8: {error.reason} at byte {error.start}") from error
    except ValueError as error:
        raise BadRequestError(f"the line is not JSON: {error}") from error

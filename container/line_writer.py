"""Answers as lines of JSON, written a column at a time: the same bytes as ``json.dumps`` of each answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tenant_experience.models.artifact import ModelManifest
from tenant_experience.models.served_model import Reasons
from tenant_experience.prediction_status import PredictionStatus
from tenant_experience.statistics.arrays import Floats

# The place of a row's own text in a template of all rows.
_HOLE = "%s"


def model_said(manifest: ModelManifest) -> dict[str, str]:
    """What each line ends with."""
    return {"model_version": manifest.version, "scale": manifest.scale}


def scored_lines(
    tenant_ids: Sequence[str | None],
    columns: Mapping[str, Sequence[Any]],
    reasons: Reasons | None,
    manifest: ModelManifest,
) -> list[str]:
    """The lines of rows that were scored.

    Args:
        tenant_ids: of each row, None where it has none.
        columns: as ``ServedModel.in_columns``; all numbers are finite.
        reasons: where contributions are wanted.
        manifest: of the model.
    """
    if not tenant_ids:
        return []
    holes: list[Sequence[str]] = [["" if name is None else f'"tenant_id": {_text(name)}, ' for name in tenant_ids]]
    fields: dict[str, str] = {"status": _text(PredictionStatus.SCORED)}
    written = {name: _written(column) for name, column in columns.items()}
    if reasons is not None:
        written |= _written_reasons(reasons, manifest)
    for name, texts in written.items():
        same = len(set(texts)) == 1
        fields[name] = _literal(texts[0]) if same else _HOLE
        if not same:
            holes.append(texts)
    fields |= {name: _literal(_text(value)) for name, value in model_said(manifest).items()}
    return _filled("{" + _HOLE + _members(fields) + "}\n", zip(*holes, strict=True))


def _written_reasons(reasons: Reasons, manifest: ModelManifest) -> dict[str, Sequence[str]]:
    """As ``answers`` names them."""
    template = "{" + _members(dict.fromkeys(manifest.features, _HOLE)) + "}"
    found: dict[str, Sequence[str]] = {
        "contributions": _filled(template, zip(*map(_numbers, reasons.contributions.T), strict=True)),
        "baseline": _numbers(reasons.baseline),
    }
    if reasons.label is not None:
        found["contributions_for"] = _written([manifest.labels[label] for label in reasons.label.tolist()])
    return found


def _written(column: Sequence[Any]) -> Sequence[str]:
    """The texts of numbers, of texts, or of objects of numbers that have the same keys."""
    first = column[0]
    if isinstance(first, str):
        texts = {value: _text(value) for value in set(column)}
        return [texts[value] for value in column]
    if isinstance(first, dict):
        template = "{" + _members(dict.fromkeys(first, _HOLE)) + "}"
        return _filled(template, (tuple(map(repr, each.values())) for each in column))
    return list(map(repr, column))


def _numbers(values: Floats) -> list[str]:
    return list(map(repr, values.tolist()))


def _members(fields: Mapping[str, str]) -> str:
    """The inside of an object, from the text of each value."""
    return ", ".join(f"{_literal(_text(name))}: {value}" for name, value in fields.items())


def _filled(template: str, rows: Iterable[tuple[str, ...]]) -> list[str]:
    return list(map(template.__mod__, rows))


def _text(value: str) -> str:
    return json.dumps(value)


def _literal(text: str) -> str:
    """As a template means it."""
    return text.replace("%", "%%")

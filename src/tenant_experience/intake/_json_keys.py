"""The keys of a file of JSON lines. An exporter may leave out a key whose value is null, in some lines or in all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice

from tenant_experience.intake._text import require_once
from tenant_experience.intake.formats import RawFile
from tenant_experience.intake.mapping import RowMapping

_LINES_SAMPLED = 1_000


def json_keys(file: RawFile, mapping: RowMapping) -> list[str]:
    """The keys of the first lines, and every key that is read and may be null.

    Raises:
        UserError: ``duplicate_column``.
    """
    source = mapping.source
    with file.open() as stream:
        keys = _keys(islice(stream, _LINES_SAMPLED))
    wanted = source.raw_columns()
    absent = _absent(keys, wanted)
    needed = [raw for raw in absent if raw not in source.optional]
    if needed and len(needed) < len(wanted):
        # The rest of the file is read only for a key that no sampled line has.
        with file.open() as stream:
            found = _keys(_lines_that_mention(stream, needed))
        lowered = {raw.lower() for raw in needed}
        keys |= {key: None for key in found if key.lower() in lowered}
    require_once(file, list(keys), wanted)
    if len(_absent(keys, wanted)) == len(wanted):
        return list(keys)  # these are not the lines that the source describes
    # An export of tickets that are all open has no reason to mention when they were resolved.
    may_be_null = [
        raw for raw in _absent(keys, wanted) if raw in source.optional or wanted[raw] in mapping.may_be_absent
    ]
    return [*keys, *may_be_null]


def _absent(keys: Iterable[str], wanted: Iterable[str]) -> list[str]:
    present = {key.lower() for key in keys}
    return [raw for raw in wanted if raw.lower() not in present]


def _keys(lines: Iterable[bytes]) -> dict[str, None]:
    keys: dict[str, None] = {}
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue  # the row is quarantined when the whole file is read
        if isinstance(record, dict):
            keys |= dict.fromkeys(record)
    return keys


def _lines_that_mention(lines: Iterable[bytes], keys: Iterable[str]) -> Iterator[bytes]:
    """For each key, the first line in which it occurs."""
    missing = {key.lower().encode() for key in keys}
    for line in lines:
        lowered = line.lower()
        if found := {key for key in missing if key in lowered}:
            missing -= found
            yield line
            if not missing:
                return

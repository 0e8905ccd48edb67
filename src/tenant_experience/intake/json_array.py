"""Files named ``.json``: an array of objects, or, as in JSON lines, an object in each line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from tenant_experience.errors import UserError
from tenant_experience.intake.formats import RawFile

JSON = ".json"
# Longer lines of JSON are refused as well.
_LONGEST_ENTRY = 2_000_000
_BLOCK_CHARACTERS = 1 << 20
_SPACE = re.compile(r"[ \t\r\n]*")
_LINE_BREAKS = str.maketrans("\r\n", "  ")


class NoArrayError(ValueError):
    """The text is no array of entries that can be told apart; the message says where."""


def is_array(start: str) -> bool:
    """Whether a text whose beginning this is would be an array."""
    return start.lstrip("\ufeff \t\r\n").startswith("[")


def array_entries(stream: IO[str]) -> Iterator[str]:
    """The text of each entry of an array, as it is written, without reading the whole array into memory.

    Raises:
        NoArrayError: the text is no array, is cut off, or has something behind it. Entries before that were given.
    """
    decoder = json.JSONDecoder(parse_int=str, parse_float=str)  # numbers of any length
    text, place, number, ended = stream.read(_BLOCK_CHARACTERS).removeprefix("\ufeff"), 0, 0, False

    def more() -> bool:
        nonlocal text, place, ended
        text, place, block = text[place:], 0, "" if ended else stream.read(_BLOCK_CHARACTERS)
        ended = not block
        text += block
        return not ended

    def after_space(start: int) -> int:
        space = _SPACE.match(text, start)
        return space.end() if space else start

    while (place := after_space(place)) == len(text) and more():
        pass
    if text[place : place + 1] != "[":
        raise NoArrayError("it does not begin with [")
    place += 1
    while True:
        place = after_space(place)
        if place == len(text) and more():
            continue
        if text[place : place + 1] == "]" and number == 0:
            place += 1
            break
        try:
            _, end = decoder.raw_decode(text, place)
            behind = after_space(end)
        except (ValueError, RecursionError):
            end = behind = len(text)
        if behind == len(text) and len(text) - place <= _LONGEST_ENTRY and more():
            continue  # the rest of the entry, or what follows it, has yet to come
        separator = text[behind : behind + 1]
        if separator not in {",", "]"} or separator == "":
            raise NoArrayError(f"entry {number + 1} is no JSON, is cut off or is too long")
        number += 1
        yield text[place:end]
        place = behind + 1
        if separator == "]":
            break
    while not text[place:].strip(" \t\r\n"):
        place = len(text)
        if not more():
            return
    raise NoArrayError(f"something stands behind the array of {number} entries")


def as_json_lines(file: RawFile, path: Path) -> RawFile:
    """A ``.json`` file as JSON lines: an array is written to ``path`` again, an entry in each line.

    The line of a refused row is then its place in the array.

    Raises:
        UserError: ``wrong_file_type`` when it is one object over several lines, ``corrupt_file`` when the array is
            damaged.
    """
    with file.open() as stream:
        first = next((line for line in stream if line.strip(b"\xef\xbb\xbf \t\r\n")), b"")
    if not is_array(first.decode("utf-8-sig", "replace")):
        if _is_record(first):
            return replace(file, extension=".jsonl")
        raise UserError(
            f"{file.name} is no array of objects, and has no object in its first line. Both are read: write the list "
            "of records that is in it to a file of its own, for example with jq '.records' file.json > records.json",
            code="wrong_file_type",
        )
    with (
        file.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as source,
        path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as target,
    ):
        try:
            target.writelines(f"{entry.translate(_LINE_BREAKS)}\n" for entry in array_entries(source))
        except NoArrayError as error:
            raise UserError(
                f"{file.name} is a damaged {file.extension} file, so none of its rows can be trusted: {error}",
                code="corrupt_file",
            ) from error
    if not path.stat().st_size:
        raise UserError(f"{file.name} is an empty array: it has no records", code="empty_file")
    return replace(file, path=path, extension=".jsonl")


def _is_record(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line.decode("utf-8-sig", "replace")), dict)
    except (ValueError, RecursionError):
        return False

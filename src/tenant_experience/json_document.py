"""JSON that somebody else wrote. Only the standard library.

Two readers of one document must not disagree about it, so a key may stand only once in an object.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

# Python converts a whole number with more digits only after a setting of the process is changed.
_MOST_DIGITS = 4_300


def parse_json(text: str, parse_constant: Callable[[str], Any] | None = None) -> Any:
    """The value that ``text`` describes.

    Args:
        text: the document.
        parse_constant: given ``NaN``, ``Infinity`` or ``-Infinity``, which are not JSON but which Python reads.

    Raises:
        ValueError: it is not JSON, is nested too deeply, has a number of very many digits, or an object has a key
            twice. The message is for the person who wrote the text.
    """
    try:
        return json.loads(text, parse_constant=parse_constant, parse_int=_whole_number, object_pairs_hook=_distinct)
    except RecursionError as error:
        raise ValueError("its lists and objects are nested too deeply") from error


def _whole_number(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number has {len(digits)} digits; at most {_MOST_DIGITS} are read")
    return int(digits)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {twice[:40]!r} is there more than once in an object")
    return found

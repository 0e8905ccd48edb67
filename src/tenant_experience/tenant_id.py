"""What an id of a tenant may be, wherever it comes from: raw files, requests, operators. Only the standard library.

An id becomes a part of a URL's path, of a file's name, of a line in a log: whatever could break out of one is refused.
"""

from __future__ import annotations

import re

LONGEST = 128
# The same in Python's re and in DuckDB's RE2; whole texts must match. Control characters are Unicode's class Cc and its
# two line separators.
_CONTROL = r"\x00-\x1f\x7f-\x9f" + "\u2028\u2029"
PATTERN = rf"[^./\\ {_CONTROL}][^/\\{_CONTROL}]{{0,{LONGEST - 1}}}"
NAME_PATTERN = rf"[^{_CONTROL}]{{1,{LONGEST}}}"
RULE = f"1 to {LONGEST} characters, no control characters, no / or \\, and not beginning with a dot or a space"

_ID = re.compile(PATTERN)


def is_tenant_id(text: str) -> bool:
    """Whether ``text`` can be a tenant's id. Half a character (a lone surrogate, which JSON can spell) cannot."""
    return _ID.fullmatch(text) is not None and text.encode("utf-8", "ignore").decode() == text

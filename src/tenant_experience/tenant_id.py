"""Which texts may be tenant ids, whether they come from raw files, requests or operators. Only the standard library.

An id becomes part of a URL path, a file name or a log line, so characters that could break out of one are refused.
"""

from __future__ import annotations

import re

LONGEST = 128
# These patterns mean the same in Python's re and in DuckDB's RE2; a whole text must match. Control characters are
# Unicode's class Cc and its two line separators.
_CONTROL = r"\x00-\x1f\x7f-\x9f" + "\u2028\u2029"
PATTERN = rf"[^./\\ {_CONTROL}][^/\\{_CONTROL}]{{0,{LONGEST - 1}}}"
NAME_PATTERN = rf"[^{_CONTROL}]{{1,{LONGEST}}}"
RULE = f"1 to {LONGEST} characters, no control characters, no / or \\, and no dot or space at the beginning"

_ID = re.compile(PATTERN)


def is_tenant_id(text: str) -> bool:
    """Whether ``text`` can be a tenant's id. A lone surrogate, which JSON can express, is not allowed."""
    return _ID.fullmatch(text) is not None and text.encode("utf-8", "ignore").decode() == text

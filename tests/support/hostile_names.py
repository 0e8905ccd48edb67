"""Names of columns and classes that break programs which do not expect them."""

from __future__ import annotations

RESERVED_WORDS = ("order", "group", "default", "to", "select", "table", "from", "user", "end", "case", "all", "check")
LONGEST = "x" * 63
CLASSES = (
    "0",
    "1",
    "Yes",
    "No",
    "true",
    "ünï côde",
    "it's",
    'say "hi"',
    "a<b>[c]",
    "a, b",
    "../..",
    "x" * 128,
    "=1+1",
)

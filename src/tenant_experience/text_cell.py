"""Texts in CSV files that people open in a spreadsheet, which must not take them for formulas."""

from __future__ import annotations

from tenant_experience.readable_text import readable

# The start of what a spreadsheet would take for a formula (OWASP, CSV injection). A space before it makes it text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def text_cell(text: str) -> str:
    """A name or a sentence without hidden characters."""
    return id_cell(readable(text))


def id_cell(text: str) -> str:
    """An id as it is, because it is looked up."""
    return f" {text}" if text.startswith(_FORMULA) else text

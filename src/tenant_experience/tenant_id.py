"""Which texts may be tenant ids, whether they come from raw files, requests or operators. Only the standard library.

An id becomes part of a URL path, a file name or a log line, so characters that could break out of one are refused. Two
texts that look alike are one id: every door (raw files, the API, erasure) first gives an id its normal form.
"""

from __future__ import annotations

import re
import unicodedata
from string import ascii_lowercase, ascii_uppercase
from typing import Literal

LONGEST = 128
# Whether T1 and t1 are two ids or one: ``record_id_case`` in use_case.yaml. Only the letters A to Z have a case here,
# because Python and DuckDB agree on no other: they write İ, ẞ and the Greek final sigma in lower case differently.
IdCase = Literal["sensitive", "insensitive"]
# These patterns mean the same in Python's re and in DuckDB's RE2; a whole text must match. Control characters are
# Unicode's class Cc and its two line separators.
_CONTROL = r"\x00-\x1f\x7f-\x9f" + "\u2028\u2029"
# Characters that are not seen (Unicode's Default_Ignorable_Code_Point, and the blank pattern of Braille): with them,
# two different ids would look the same. They include zero-width characters, byte order marks, marks of direction, and
# the marks of interlinear annotations.
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
REFUSED = _CONTROL + _INVISIBLE
PATTERN = rf"[^./\\ {REFUSED}][^/\\{REFUSED}]{{0,{LONGEST - 1}}}"
NAME_PATTERN = rf"[^{REFUSED}]{{1,{LONGEST}}}"
# No id, although its characters are allowed: a JSON object or array, of which it is unknown which part is the id; a
# number in scientific notation, from which a spreadsheet or JSON has dropped digits, with a decimal point or comma; and
# the words and hash marks that a spreadsheet shows in place of a value.
NO_ID_PATTERN = (
    r"\{ *(\".*)?\}|\[ *(([\"\[{\-0-9]|true\b|false\b|null\b).*)?\]"
    r"|[+\-]?[0-9]([.,][0-9]+)?[eE]\+[0-9]+|[+\-]?[0-9][.,][0-9]+[eE][0-9]+"
    r"|#(REF|VALUE|NUM|NULL|CALC|SPILL|FIELD|BLOCKED|CONNECT|UNKNOWN)!|#NAME\?|#GETTING_DATA|##+"
)
# Nor is a flag, which JSON or a data frame has in place of an id. A portfolio or a category may be called true.
FLAG_PATTERN = "[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]"
RULE = (
    f"1 to {LONGEST} characters, no control or invisible characters, no / or \\, and no dot at the beginning; it must "
    "not be a JSON object, an array, a number like 1.2E+15, a flag (true or false) or an error like #REF!"
)
# Every space of Unicode's class Zs, apart from the plain one.
SPACES = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
# A whole number that a spreadsheet, a data frame or a decimal column wrote with decimals.
WHOLE_NUMBER = r"([+\-]?[0-9]+)\.0+"

_ID = re.compile(PATTERN)
_NO_ID = re.compile(f"{NO_ID_PATTERN}|{FLAG_PATTERN}")
_SPACE = re.compile(f"[{SPACES}]")
_WHOLE = re.compile(WHOLE_NUMBER)
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


def normalised(text: str) -> str:
    """The normal form of a name: composed (NFC), with plain spaces and none around it, and 123 for 123.0.

    ``intake.mapping.normalised`` says the same in SQL.
    """
    composed = _SPACE.sub(" ", unicodedata.normalize("NFC", text)).strip(" ")
    whole = _WHOLE.fullmatch(composed)
    return whole[1] if whole else composed


def normal_id(text: str, case: IdCase) -> str:
    """The normal form of an id: that of a name, in lower case when case does not count.

    ``intake.mapping.normal_id`` says the same in SQL.
    """
    meant = normalised(text)
    # Composed again: some marks join a small letter and not the capital one, such as the line below in h\u0331.
    return meant if case == "sensitive" else unicodedata.normalize("NFC", meant.translate(_LOWER))


def is_tenant_id(text: str) -> bool:
    """Whether ``text``, in its normal form, can be an id. A lone surrogate, which JSON can express, is not allowed."""
    return (
        _ID.fullmatch(text) is not None
        and _NO_ID.fullmatch(text) is None
        and text.encode("utf-8", "ignore").decode() == text
    )


def tenant_id_of(text: str, case: IdCase) -> str | None:
    """The id that a person or a program means by ``text``, in its normal form; None when it can be no id."""
    meant = normal_id(text, case)
    return meant if is_tenant_id(meant) else None

"""SQL for the normal form of names and ids, and for an id that is made from several columns (decision 38)."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase, ascii_uppercase

from tenant_experience.tenant_id import LONGEST, NO_ID_PATTERN, REFUSED, SPACES, WHOLE_NUMBER, IdCase

# Between the parts of an id. No part has it, because each of these characters is written as ! and its code.
SEPARATOR = "~"
_ESCAPED = {"!": "!21", "~": "!7E", "/": "!2F", "\\": "!5C"}


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def normalised(text: str) -> str:
    """SQL for the normal form of a name: what ``tenant_id.normalised`` says in Python."""
    composed = f"trim(regexp_replace(nfc_normalize({text}), {_literal(f'[{SPACES}]')}, ' ', 'g'), ' ')"
    whole = rf"regexp_replace({composed}, {_literal(f'^{WHOLE_NUMBER}$')}, '\1')"
    # Most texts are ASCII without a dot. Checking that costs a fraction of the rest.
    rare = f"strlen({text}) <> length({text}) OR contains({text}, '.') OR {text} < '!' OR ends_with({text}, ' ')"
    return f"CASE WHEN {rare} THEN {whole} ELSE {text} END"


def normal_id(text: str, case: IdCase) -> str:
    """SQL for the normal form of a tenant's id: what ``tenant_id.normal_id`` says in Python."""
    if case == "sensitive":
        return normalised(text)
    return f"nfc_normalize(translate({normalised(text)}, {_literal(ascii_uppercase)}, {_literal(ascii_lowercase)}))"


def joined_id(expressions: Sequence[str], case: IdCase) -> str:
    """SQL for the id that these columns make together: other values always make another id.

    The parts, each in its normal form, stand between ``~``. Within a part, ``!``, ``~``, ``/``, backslash and a dot at
    its beginning are written as ``!`` and their code, such as ``!7E``. Of an id that would be too long, there is
    ``!sha256-`` and its hash. The id is null when a part is blank. A part that can stand in no id, such as 1.2E+15,
    takes the place of the id, so that the row is refused for it.

    Args:
        expressions: SQL over the columns of a file.
        case: whether ids differ by case.
    """
    texts = [f"CAST((\n{each}\n) AS VARCHAR)" for each in expressions]
    parts = [f"nullif({normal_id(text, case)}, '')" for text in texts]
    unfit = "".join(
        f"WHEN regexp_full_match({part}, {_literal(NO_ID_PATTERN)}) "
        f"OR NOT regexp_full_match({part}, {_literal(f'[^{REFUSED}]*')}) THEN {part} "
        for part in parts
    )
    joined = f" || {_literal(SEPARATOR)} || ".join(map(_escaped, parts))
    short = f"CASE WHEN length({joined}) <= {LONGEST} THEN {joined} ELSE '!sha256-' || sha256({joined}) END"
    return f"CASE {unfit}ELSE {short} END"


def _escaped(part: str) -> str:
    for character, code in _ESCAPED.items():
        part = f"replace({part}, {_literal(character)}, {_literal(code)})"
    return rf"regexp_replace({part}, '^\.', '!2E')"

"""Recognises one tenant's id in files of any kind.

An id is looked for as it is, and as JSON, URLs, HTML and UTF-16 write it. Compressed and packed files are unpacked
first (see ``file``). Base64 and the like are not decoded, because nothing in this application writes ids that way.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

from tenant_experience.intake.staged_file import KEPT_CHARACTERS
from tenant_experience.tenant_id import IdCase, normal_id
from tenant_experience.use_case.id_sql import SEPARATOR

ERASED = "[erased]"
_DISTINCTIVE_LENGTH = 6
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")
# Characters that may join the parts of an id: ``T1-2`` is not ``T1``.
_JOINTS = r"[-.@:+~]"
# How an id that is made from columns writes its own special characters, behind a ``!``.
_CODE = r"(?:21|2[EeFf]|5[Cc]|7[Ee])"
# What is no letter of a word before the id, although it ends with one: how JSON and URLs write what separates words.
_LETTERS = "A-Za-z0-9_"
_HEX = "0-9A-Fa-f"
_ESCAPES = (("\\\\", "bfnrt"), ("\\\\", "u", _HEX, _HEX, _HEX, _HEX))
_URL_SEPARATORS = (("%", "0", "9ADad"), ("%", "2", "02678CFcf"), ("%", "3", "BDbd"))
_BEFORE = (*_ESCAPES, *_URL_SEPARATORS)


@dataclass(frozen=True)
class ErasedId:
    """The id of the tenant to erase.

    Attributes:
        forms: the id, its pseudonym if the stack uses them, and the part of a long id that the quarantine keeps.
        case: whether ids that differ only in case are different tenants.
    """

    forms: tuple[str, ...]
    case: IdCase = "sensitive"

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The forms that are whole ids. A part of a long id may be the whole id of somebody else."""
        longest = [form for form in self.forms if len(form) > KEPT_CHARACTERS]
        parts = {form[:KEPT_CHARACTERS] for form in longest}
        return tuple(form for form in self.forms if form not in parts)

    @classmethod
    def of(cls, *ids: str, case: IdCase) -> ErasedId:
        """One tenant by its id and, where there is one, its pseudonym.

        Args:
            ids: in their normal form; also an older form, from before case was declared not to count.
            case: whether ids that differ only in case are different tenants.
        """
        # Also as others spell it: decomposed (NFD), and with spaces that do not break.
        spelled = [
            form
            for each in ids
            for spaced in (each, each.replace(" ", "\u00a0"))
            for form in (spaced, unicodedata.normalize("NFD", spaced))
        ]
        return cls(tuple(dict.fromkeys(part for each in spelled for part in (each, each[:KEPT_CHARACTERS]))), case)

    @cached_property
    def is_distinctive(self) -> bool:
        """Whether the id, as a word in a text, can only mean the tenant.

        Shorter ids and plain numbers occur everywhere. In texts they count only between quotes or tags, or after
        ``=`` or ``/``; in tables they count only in columns of ids.
        """
        return all(len(form) >= _DISTINCTIVE_LENGTH and not form.isdigit() for form in self.forms)

    def is_value(self, value: object) -> bool:
        """Whether a value as a whole is the id."""
        text = str(value).strip()
        return text in self.forms or normal_id(text, self.case) in self.forms

    def is_named_by(self, value: str) -> bool:
        """Whether a value is the id, or contains it as a word that is not part of a longer id."""
        if self.is_value(value):
            return True
        folded = self._folded(value)
        is_inside = self.is_distinctive and any(self._folded(form) in folded for form in self.forms)
        return is_inside and bool(self._word.search(value))

    def is_in_line(self, line: str) -> bool:
        """Whether a line of a file contains the id, in any spelling, as a word that is not part of a longer id."""
        folded = self._folded(line)
        return any(spelling in folded for spelling in self._sought) and bool(self._in_line.search(line))

    def is_in_text(self, content: bytes) -> bool:
        """Whether a text contains the id, in any spelling; also as part of a longer id."""
        # Searching for plain text first is many times faster.
        return self.may_be_in(content) and any(pattern.search(content) for pattern in self._patterns)

    def may_be_in(self, content: bytes) -> bool:
        """Whether some content contains the id at all, also as part of other words."""
        content = content.lower() if self.case == "insensitive" else content
        return any(spelling in content for spelling in self._sought_bytes)

    def blot_out(self, text: str) -> str:
        """The text with the id redacted."""
        return ERASED if self.is_value(text) else self._in_line.sub(ERASED, text)

    def blot_out_name(self, name: str) -> str:
        """The name of an object or a file with the id redacted, rather too often than too rarely."""
        return re.sub(rf"(?<![A-Za-z0-9_]){self._any_spelling}(?![A-Za-z0-9_])", ERASED, name)

    @cached_property
    def _spellings(self) -> list[str]:
        found: set[str] = set()
        for form in self.forms:
            found |= {form, quote(form, safe=""), quote(form, safe="@:+"), html.escape(form)}
            found |= {json.dumps(form, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
        return sorted(found, key=len, reverse=True)

    def _folded(self, text: str) -> str:
        """The text as it is compared, to find out quickly whether it may contain the id."""
        return text.casefold() if self.case == "insensitive" else text

    @cached_property
    def _sought(self) -> list[str]:
        return [self._folded(spelling) for spelling in self._spellings]

    @cached_property
    def _sought_bytes(self) -> list[bytes]:
        encoded = [spelling.encode(encoding) for spelling in self._spellings for encoding in _ENCODINGS]
        return [each.lower() for each in encoded] if self.case == "insensitive" else encoded

    def _cases(self, character: str) -> tuple[str, ...]:
        # Not the flag of regular expressions, with which k would match the Kelvin sign too.
        has_cases = self.case == "insensitive" and character.isascii() and character.isalpha()
        return (character.lower(), character.upper()) if has_cases else (character,)

    def _pattern(self, spelling: str) -> str:
        return "".join(f"(?:{'|'.join(map(re.escape, self._cases(character)))})" for character in spelling)

    def _encoded_pattern(self, spelling: str, encoding: str) -> bytes:
        parts = ([re.escape(case.encode(encoding)) for case in self._cases(character)] for character in spelling)
        return b"".join(b"(?:" + b"|".join(part) + b")" for part in parts)

    @cached_property
    def _any_spelling(self) -> str:
        return "(?:" + "|".join(map(self._pattern, self._spellings)) + ")"

    @cached_property
    def _word(self) -> re.Pattern[str]:
        before, after = rf"(?<!\w)(?<!\w{_JOINTS})", rf"(?!{_JOINTS}?\w)"
        if any(SEPARATOR in form for form in self.forms):
            # Not within a code of a longer part: neither 7Eb~n in a!7Eb~n nor a~b in a~b!7Ec.
            before, after = rf"{before}(?:(?<!!)|(?!{_CODE}))", rf"{after}(?!(?:!|%21){_CODE})"
        escaped = "|".join(_behind(characters) for characters in _BEFORE)
        return re.compile(rf"(?:{before}|{escaped}){self._any_spelling}{after}")

    @cached_property
    def _in_line(self) -> re.Pattern[str]:
        if self.is_distinctive:
            return self._word
        return re.compile(rf"""(?<=["'>=/]){self._any_spelling}(?=["'<&/?\s]|$)""")

    @cached_property
    def _patterns(self) -> list[re.Pattern[bytes]]:
        patterns = []
        for encoding in _ENCODINGS:
            nul = "\x00" if encoding != "utf-8" else ""
            spellings = b"|".join(self._encoded_pattern(spelling, encoding) for spelling in self._spellings)
            before, after = self._borders(nul, nul_first=encoding == "utf-16-be")
            patterns.append(re.compile(before + b"(?:" + spellings + b")" + after))
        return patterns

    def _borders(self, nul: str, *, nul_first: bool) -> tuple[bytes, bytes]:
        """What must or must not be before and after the id, in UTF-8 or (with ``nul``) UTF-16."""

        def one(characters: str) -> str:
            return f"{nul}[{characters}]" if nul_first else f"[{characters}]{nul}"

        if self.is_distinctive:
            escaped = (f"(?<={''.join(map(one, each))})" for each in _BEFORE)
            before, after = f"(?:(?<!{one(_LETTERS)})|{'|'.join(escaped)})", f"(?!{one(_LETTERS)})"
        else:
            before = f"""(?<={one('"' + "'>=/")})"""
            after = f"""(?={one('"' + "'<&/?")}|{one(chr(92) + "s")})"""
        return before.encode(), after.encode()


def _behind(characters: tuple[str, ...]) -> str:
    return f"(?<={''.join(f'[{each}]' for each in characters)})"

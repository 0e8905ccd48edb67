"""Names as a person may read them: they come from the data, which must not be able to mislead the reader.

Machines keep the name as it is; only e-mails, pages and lists for people are cleaned. Only the standard library.
"""

from __future__ import annotations

import re
import unicodedata

# Control, format (also the bidirectional ones, which reorder what follows), surrogate, private and unassigned.
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn")
# What mail programs make a link of, a word at a time: a scheme, www., an address, or a domain with or without a path.
_LINK = re.compile(r"(?i)[a-z][a-z0-9+.-]*:/|^\W*www\.|^\W*(mailto|tel|data|javascript):|@|[^\W_][-\w]*\.[^\W\d_]{2,}")
_FILE = re.compile(r"(?i)\W*[-\w./]*\.(csv|gz|html|json|jsonl|npz|parquet|py|sql|tar|tsv|txt|ubj|xlsx|yaml|zip)\W*")


def readable(text: str) -> str:
    """One line without hidden characters: each run of white space becomes a space, and the others disappear."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    spaced = " ".join(text.split())
    return "".join(character for character in spaced if unicodedata.category(character) not in _HIDDEN)


def readable_without_links(text: str) -> str:
    """The same for plain text: what a mail program would turn into a link is written so that it does not.

    ``http://evil.example`` becomes ``http[:]//evil[.]example``. Names of files keep their dots.
    """
    return " ".join(_defused(word) for word in readable(text).split(" "))


def _defused(word: str) -> str:
    # Full-width letters, dots and slashes mean the same to a browser, so they are looked at as it does.
    plain = unicodedata.normalize("NFKC", word).replace("\u3002", ".")
    if not _LINK.search(plain) or (
        _FILE.fullmatch(plain) and "//" not in plain and not plain.lower().startswith("www")
    ):
        return word
    return re.sub(r"[.:@]", lambda found: f"[{found[0]}]", plain)

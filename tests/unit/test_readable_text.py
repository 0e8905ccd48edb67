"""Names as a person reads them."""

from __future__ import annotations

import pytest

from tenant_experience.readable_text import readable, readable_without_links


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("north", "north"),
        (" a  b\n\nc ", "a b c"),
        ("a\u202eb\u2066c\u2069", "abc"),
        ("a\x00\x1b[31mb", "a[31mb"),
        ("\ufeffa\u200bb\u00ad", "ab"),
        ("Zo\u00eb \u05d0\u05d1", "Zo\u00eb \u05d0\u05d1"),
        ("\ud800x", "x"),
    ],
)
def test_hidden_characters_disappear_and_letters_stay(name: str, read: str) -> None:
    assert readable(name) == read


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("http://evil.example", "http[:]//evil[.]example"),
        ("s\u200bee https://e.com/a.csv", "see https[:]//e[.]com/a[.]csv"),
        ("www.evil.com", "www[.]evil[.]com"),
        ("javascript:alert(1)", "javascript[:]alert(1)"),
        ("\uff48ttp\uff1a//evil\u3002com", "http[:]//evil[.]com"),
        *((same, same) for same in ("tickets.csv: line 3", "St. Mary's", "only 12.5 tenants: too few", "A.B. Estates")),
    ],
)
def test_a_mail_program_finds_no_link_in_a_name(text: str, written: str) -> None:
    assert readable_without_links(text) == written

"""Every relative link of a document leads to a file of the checkout, and its anchor to a heading of that file."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support.places import ROOT

DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *(ROOT / folder / "README.md" for folder in ("local_aws", "container", "bench")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
CODE = re.compile(r"^(```|~~~).*?^\1[^\n]*$|`[^`\n]+`", re.M | re.S)
FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.M | re.S)
# [text](target "title"), and a definition on a line of its own: [name]: target
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)", re.M)
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:", re.I)


def links(text: str) -> list[str]:
    """The targets of links that stay within the checkout."""
    found = [inline or defined for inline, defined in LINK.findall(CODE.sub("", text))]
    return [target for target in found if not ADDRESS.match(target)]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of a document's headings; one that comes again is numbered."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#{1,6} +(.+?)(?: +#+)?$", FENCE.sub("", text), re.M):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return found


def broken_links(document: Path) -> list[str]:
    """The links of a document that lead nowhere."""
    broken = []
    for target in links(document.read_text()):
        path, _, anchor = unquote(target).partition("#")
        place = document.parent / path if path else document
        if not place.exists() or (anchor and anchor not in anchors(place.read_text())):
            broken.append(target)
    return broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    assert not broken_links(document), f"mend these links of {document.relative_to(ROOT)}"


def test_links_are_found_in_documents() -> None:
    assert sum(len(links(document.read_text())) for document in DOCUMENTS) > 30


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# One: `two` & three\n\n## Again\n\n## Again\n\n```\n# no heading\n```\n")
    document = tmp_path / "document.md"
    document.write_text(
        "# Here\n[good](other.md#one-two--three) [good](other.md#again-1) [good](#here) [far](https://example.com/no)\n"
        '[gone](gone.md) [gone](other.md#gone) [gone](#gone "title") [gone](other.md#no-heading)\n'
        "`[code](gone.md)`\n[defined]: gone.svg\n```\n[code](gone.md)\n```\n"
    )
    assert broken_links(document) == ["gone.md", "other.md#gone", "#gone", "other.md#no-heading", "gone.svg"]

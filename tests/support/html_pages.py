"""Pages taken apart: their tags with attributes, and their text."""

from __future__ import annotations

from html.parser import HTMLParser

from tests.support.feature_job import FeatureJob

# The policy of a stored page, which no header can carry: nothing is fetched, no script runs, no form is sent.
POLICY: dict[str, str | None] = {
    "http-equiv": "Content-Security-Policy",
    "content": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'",
}


class Tags(HTMLParser):
    """Collects tags with their attributes, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def tags_of(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    tags.close()
    return tags


def words_of(html: str) -> str:
    return " ".join(tags_of(html).text.split())


def data_quality_page(job: FeatureJob) -> Tags:
    return tags_of((job.output("reports") / "data_quality.html").read_text())

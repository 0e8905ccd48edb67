"""A person who reads their mail and answers it, in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files

from playwright.sync_api import Page, expect, sync_playwright

from tests.support.requirements import chromium
from tests.support.waiting import until

# A click that finds nothing fails after this; pages of a busy machine may take as long.
_PATIENCE_MS = 120_000
PHONE = {"width": 390, "height": 844}
_CODE = re.compile(r"\b[0-9]{4} [0-9]{4}\b")
_LOOK = """
axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations
  .filter(each => ["serious", "critical"].includes(each.impact))
  .map(each => `${each.id}: ${each.help}: ${each.nodes[0].html.slice(0, 300)}`))
"""


class Person:
    """One who was asked.

    Args:
        page: of the browser.
        mailbox: the address of the page with their mail.
        address: theirs.
    """

    def __init__(self, page: Page, mailbox: str, address: str) -> None:
        self.page = page
        self._mailbox = mailbox
        self._address = address
        self._axe = files("axe_playwright_python").joinpath("axe.min.js").read_text()
        self.subject = ""
        """Of the e-mail that was opened last."""

    def open_mail(self, subject: str) -> str:
        """Finds the newest e-mail of this subject in the mailbox and opens it; its text."""
        letters = self.page.get_by_role("row").filter(has_text=self._address).filter(has_text=subject)

        def has_come() -> bool:
            self.page.goto(self._mailbox)
            return letters.count() > 0

        until(has_come, f"no e-mail {subject!r} came", every=0.5)
        letters.first.get_by_role("link").click()
        self.subject = self.page.get_by_role("heading").first.inner_text()
        return self.page.locator("pre").inner_text()

    def follow(self, part: str) -> None:
        """Clicks the link with this in its address."""
        self.page.locator(f'a[href*="{part}"]').first.click()

    def code_of(self, subject: str) -> str:
        """Reads the code in the newest e-mail of this subject, while the page stays open in another tab."""
        decision = self.page
        self.page = decision.context.new_page()
        try:
            found = _CODE.search(self.open_mail(subject))
        finally:
            self.page.close()
            self.page = decision
        assert found is not None, f"{subject!r} has no code"
        return found[0]

    def look(self, heading: str | re.Pattern[str]) -> None:
        """Sees a page with this heading; nothing on it keeps anybody from reading it, and it fits a phone."""
        expect(self.page.get_by_role("heading", name=heading).first).to_be_visible()
        self.page.evaluate(self._axe)
        problems: list[str] = self.page.evaluate(_LOOK)
        assert not problems, json.dumps(problems, indent=1)
        assert self.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], heading

    def text(self) -> str:
        """What the page says."""
        return self.page.locator("main").inner_text()


@contextmanager
def person(mailbox: str, address: str) -> Iterator[Person]:
    """Somebody with a phone."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
        context.set_default_timeout(_PATIENCE_MS)
        yield Person(context.new_page(), mailbox, address)
        browser.close()

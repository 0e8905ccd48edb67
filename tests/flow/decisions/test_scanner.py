"""A mail scanner that opens every link, prefetches every form and sends it with every word that it can see.

TENX_SCANNER_REQUESTS says how many GET and HEAD it makes; 10,000 take some minutes.
"""

from __future__ import annotations

import itertools
import logging
import os
import random
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from operations import approvers
from tests.support.flow import Flow
from tests.support.waiting_request import WaitingRequest, more_approvers, open_waiting, settings

LATE = "late@example.com"  # whose confirmation the scanner opens first
ADDRESSES = ("approver@example.com", "ben@example.com", "cat@example.com")
REQUESTS = int(os.environ.get("TENX_SCANNER_REQUESTS", "400"))
AT_ONCE = 8
_LOG = logging.getLogger(__name__)
_FORM = re.compile(r"(?s)<form\b([^>]*)>(.*?)</form>")
_FIELD = re.compile(r"<(?:input|textarea|select)\b([^>]*)>")
_ATTRIBUTE = re.compile(r'([a-z-]+)="([^"]*)"')
_HREF = re.compile(r'href="([^"#][^"]*)"')


class Scanner:
    """Knows every address and word that it has seen, and sends every form of every page."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.random = random.Random(1)
        self.links: set[str] = set()
        self.words: set[str] = set()
        self.answered: list[tuple[str, int]] = []

    def read(self, text: str) -> None:
        self.words.update(re.findall(r"[^\s<>\"'=]+", text))

    def read_mails(self) -> None:
        for mail in self.flow.mailbox.messages():
            self.read(mail["text"])
            self.links.update(mail["links"])

    def send(self, method: str, url: str, **more: Any) -> httpx.Response:
        answer = self.flow.http.request(method, url, **more)
        self.answered.append((method, answer.status_code))
        return answer

    def open(self, number: int, url: str) -> None:
        """Opens a link, and of every few pages sends all forms as well."""
        answer = self.send("HEAD" if number % 2 else "GET", url)
        if "html" not in answer.headers.get("content-type", ""):
            return
        html = answer.text
        self.read(re.sub(r"<style.*?</style>", " ", html, flags=re.DOTALL))
        found = {urljoin(url, unescape(each)) for each in _HREF.findall(html)}
        self.links.update(each for each in found if httpx.URL(each).host == httpx.URL(url).host)
        if number % 10 == 0:
            self.send_forms(url, html)

    def send_forms(self, url: str, html: str, deep: bool = True) -> None:
        """Sends each form up to six times, with other words; what a first form leads to is sent as well."""
        for head, body in _FORM.findall(html):
            given = dict(_ATTRIBUTE.findall(unescape(head)))
            action = urljoin(url, given.get("action", ""))
            elsewhere = [found for found in _FIELD.findall(html) if f'form="{given.get("id")}"' in found]
            found = [*_FIELD.findall(body), *(each for each in elsewhere if each not in body)]
            fields = [dict(_ATTRIBUTE.findall(unescape(field))) for field in found]
            for words in range(6):
                data = self._filled(fields)
                method = given.get("method", "get").upper()
                answer = self.send(method, action, **{"params" if method == "GET" else "data": data})
                self.read(answer.text)
                if deep and answer.status_code == 303:
                    shown = urljoin(action, answer.headers["location"])
                    self.send_forms(shown, self.send("GET", shown).text, deep=False)
                if "code" not in data and words:
                    break

    def _filled(self, fields: list[dict[str, str]]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for field in fields:
            name, kind, value = field.get("name", ""), field.get("type", "text"), field.get("value", "")
            if kind == "radio":
                data[name] = value if name not in data or self.random.random() < 0.5 else data[name]
            elif kind == "checkbox":
                data.setdefault(name, []).append(value)
            else:
                data.setdefault(name, value if kind == "hidden" else self.random.choice(sorted(self.words)))
        return data


@pytest.mark.slow
def test_a_scanner_decides_nothing_and_confirms_and_loses_nobody(flow: Flow) -> None:
    with settings(flow), more_approvers(flow, *ADDRESSES[1:]):
        approvers.add(flow.stack, LATE)
        asked = [open_waiting(flow, f"scanned-{number}", ADDRESSES, quorum=number) for number in (1, 2)]
        before = {each.address: each.approver for each in approvers.listed(flow.stack)}
        scanner = _scan(flow)
        _check(flow, asked, before, scanner)
        approvers.remove(flow.stack, LATE)


def _scan(flow: Flow) -> Scanner:
    scanner = Scanner(flow)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = 0
        while done < REQUESTS:
            scanner.read_mails()
            links = sorted(scanner.links)
            round_of = list(itertools.islice(itertools.cycle(links), min(len(links) * 2 + 1, REQUESTS - done)))
            list(pool.map(scanner.open, range(done, done + len(round_of)), round_of))
            done += len(round_of)
    return scanner


def _check(flow: Flow, asked: list[WaitingRequest], before: dict[str, Any], scanner: Scanner) -> None:
    statuses = Counter(scanner.answered)
    _LOG.info("%s, %d links, %d words", dict(statuses), len(scanner.links), len(scanner.words))
    opened = sum(count for (method, _), count in statuses.items() if method in ("GET", "HEAD"))
    assert opened >= REQUESTS
    assert {method for method, _ in statuses} == {"GET", "HEAD", "POST"}
    assert not [status for _, status in statuses if status >= 500]
    for each in asked:
        stored = each.stored()
        assert (stored.status, stored.votes, each.status()) == ("pending", (), "RUNNING")
        assert {row["event"] for row in each.audited()} <= {"asked", "opened", "code_sent", "refused"}
    after = {each.address: each.approver for each in approvers.listed(flow.stack)}
    assert after == before
    assert [each.state for each in approvers.listed(flow.stack) if each.address == LATE] == [
        "does not count: the link of its e-mail was opened"
    ]

"""Everybody waits longer: what is refused and what is accepted both say how many more are bad, and that share rises."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

from operations.batch import RawBatch
from operations.releases import FinishedRelease, Mail
from tests.support.flow import Flow
from tests.support.generated_tenants import generated_table, slower, write_households

# Three releases: tests/unit/pipeline/test_deterioration.py says the same of the job alone.
pytestmark = pytest.mark.slow

FACTORS = (1.5, 2.0, 4.0)
SETTINGS: dict[str, Any] = {"source": "tenant_table", "as_of": "2026-11-01T00:00:00Z"}


class Landlord:
    """Uploads the same tenants again and again; the first release goes live."""

    def __init__(self, flow: Flow, folder: Path) -> None:
        self.flow, self.folder = flow, folder
        self.table = generated_table(1_500, seed=4)
        self.asked: list[Mail] = []
        self.live = self.upload(1.0, "approve", groups="new")

    def upload(self, factor: float, choice: str = "reject", **settings: Any) -> FinishedRelease:
        path = self.folder / f"{factor:g}" / "households.parquet"
        write_households(slower(self.table, factor), path)
        batch = RawBatch(f"slower-{factor:g}", (path,), SETTINGS | settings)
        return self.flow.release(batch, choice, before=self.asked.append)


@pytest.fixture(scope="module")
def landlord(flow: Flow, tmp_path_factory: pytest.TempPathFactory) -> Landlord:
    landlord = Landlord(flow, tmp_path_factory.mktemp("landlord"))
    assert landlord.live.execution["status"] == "SUCCEEDED", landlord.live.execution.get("cause")
    return landlord


def share_now(live: str, text: str) -> float:
    """The share of bad by the frozen rule that a sentence of the text tells."""
    told = re.search(
        rf"Surely more tenants are bad than in release {live}, by the same rule \(that of release {live}\): "
        r"[0-9.]+% \([^)]*\) then, ([0-9.]+)% \([^)]*\) now, a difference of \+[0-9.]+ points ",
        " ".join(text.split()),
    )
    assert told is not None, text
    return float(told[1])


def test_when_all_wait_longer_the_email_of_the_refusal_says_how_many_more_are_bad(
    flow: Flow, landlord: Landlord
) -> None:
    shares = []
    for factor in FACTORS:
        refused = landlord.upload(factor)
        assert refused.execution["error"] == "UserError.feature_shift"
        mail = flow.mailbox.wait_for(f"Release {refused.release}: its data cannot be used")
        shares.append(share_now(landlord.live.release, mail["text"]))
        assert '"accept": ["feature_shift"]' in " ".join(mail["text"].split())
    assert shares == sorted(set(shares))


def test_when_that_is_accepted_the_approver_reads_how_many_more_are_bad(flow: Flow, landlord: Landlord) -> None:
    shares = []
    for factor in FACTORS:
        asked = len(landlord.asked)
        done = landlord.upload(factor, accept=["feature_shift"])
        assert done.execution["error"] == "ReleaseRejected", done.execution.get("cause")
        [mail] = landlord.asked[asked:]
        page = flow.http.get(mail["links"][0]).text
        for text in (mail["text"], html.unescape(page)):
            read_in_order(" ".join(text.split()), factor)
        share = share_now(landlord.live.release, mail["text"])
        assert share_now(landlord.live.release, html.unescape(page)) == share
        # The groups are kept, so the table of the page has the same share; and a picture shows it over time.
        assert f"<td>{share:.1f} %</td>" in page
        assert '<img src="data:image/' in page
        shares.append(share)
    assert shares == sorted(set(shares))


def read_in_order(text: str, factor: float) -> None:
    """What is accepted comes first, then how far the hours have risen, and only then what the groups make of it."""
    accepted = text.index("manifest.json accepts that the gate feature_shift is broken")
    rose = re.search(r"[Hh]ours until the first response rose to ([0-9.]+) times compared with the live release", text)
    assert rose is not None, text
    assert float(rose[1]) == pytest.approx(factor, rel=0.01)
    assert accepted < rose.start() < text.index("Surely more tenants are bad")

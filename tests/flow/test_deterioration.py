"""Everybody waits longer: the approver sees it by name, in the e-mail and on the page, and cannot only be refused."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

from operations.batch import RawBatch
from operations.releases import FinishedRelease
from tenant_experience.features.table import FeatureTable
from tests.support.flow import Flow
from tests.support.generated_tenants import REAL_TABLE, generated_table, real_table, slower, write_households
from tests.support.requirements import needs_shared_data

SETTINGS: dict[str, Any] = {"source": "tenant_table", "as_of": "2026-11-01T00:00:00Z"}


class Landlord:
    """Uploads the same tenants again and again; ``seen`` has the e-mail and the page of each release by its factor."""

    def __init__(self, flow: Flow, name: str, table: FeatureTable, folder: Path) -> None:
        self.flow, self.name, self.table, self.folder = flow, name, table, folder
        self.seen: dict[float, tuple[str, str]] = {}

    def upload(self, factor: float, choice: str = "reject", **settings: Any) -> FinishedRelease:
        path = self.folder / f"{factor:g}-{len(list(self.folder.iterdir()))}" / "households.parquet"
        write_households(slower(self.table, factor), path)
        batch = RawBatch(f"{self.name}-{path.parent.name}", (path,), SETTINGS | settings)

        def look(mail: dict[str, Any]) -> None:
            [link] = [link for link in mail["links"] if "/approvals/" in link]
            self.seen[factor] = " ".join(mail["text"].split()), html.unescape(self.flow.http.get(link).text)

        return self.flow.release(batch, choice, before=look)


def share_now(live: str, text: str) -> float:
    told = re.search(
        rf"Surely more tenants are bad than in release {live}, by the same rule \(that of release {live}\): "
        r"[0-9.]+% \([^)]*\) then, ([0-9.]+)% \(",
        " ".join(text.split()),
    )
    assert told is not None, text
    return float(told[1])


def check(landlord: Landlord) -> dict[float, float]:
    """The shares of bad by the live rule that the approver read, by factor. The batches accept a shift."""
    live = landlord.upload(1.0, "approve", groups="new")
    assert live.execution["status"] == "SUCCEEDED", live.execution.get("cause")
    shares = {}
    for factor in (1.5, 2.0, 4.0):
        done = landlord.upload(factor, accept=["feature_shift"])
        assert done.execution["error"] == "ReleaseRejected", done.execution.get("cause")
        mail, page = landlord.seen[factor]
        shares[factor] = share_now(live.release, mail)
        assert share_now(live.release, page) == shares[factor]
        assert page.count('<img src="data:image/svg+xml;base64,') == 1
        assert 'alt="Share bad of all tenants, by release: ' in page
    assert list(shares.values()) == sorted(set(shares.values()))
    return shares


def test_when_all_wait_longer_the_approver_reads_it_and_a_refusal_says_it(flow: Flow, tmp_path: Path) -> None:
    landlord = Landlord(flow, "generated", generated_table(1_500, seed=4), tmp_path)
    shares = check(landlord)
    for mail, page in landlord.seen.values():
        assert ("manifest.json accepts that the gate feature_shift is broken: " in mail) == ("Surely more" in mail)
        assert ("Manifest.json accepts that the gate feature_shift is broken: " in page) == ("Surely more" in page)
    live = (flow.live() or {})["release"]
    refused = landlord.upload(1.5)
    assert refused.execution["error"] == "UserError.feature_shift"
    mail = flow.mailbox.wait_for(f"Release {refused.release}: its data cannot be used")
    assert share_now(live, mail["text"]) == shares[1.5]
    assert '"accept": ["feature_shift"]' in " ".join(mail["text"].split())


@pytest.mark.slow
@needs_shared_data(REAL_TABLE.name)
def test_when_all_real_households_wait_longer_the_approver_reads_it(flow: Flow, tmp_path: Path) -> None:
    shares = check(Landlord(flow, "real", real_table(), tmp_path))
    assert shares == pytest.approx({1.5: 58.9, 2.0: 66.0, 4.0: 80.1}, abs=0.11)

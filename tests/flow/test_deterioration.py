"""Everybody waits longer: a refusal does not only speak of PSI, and the share of bad that it tells rises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from operations.batch import RawBatch
from operations.releases import FinishedRelease
from tenant_experience.features.table import FeatureTable
from tests.support.flow import Flow
from tests.support.generated_tenants import generated_table, slower, write_households

SETTINGS: dict[str, Any] = {"source": "tenant_table", "as_of": "2026-11-01T00:00:00Z"}


class Landlord:
    """Uploads the same tenants again and again."""

    def __init__(self, flow: Flow, table: FeatureTable, folder: Path) -> None:
        self.flow, self.table, self.folder = flow, table, folder

    def upload(self, factor: float, choice: str = "reject", **settings: Any) -> FinishedRelease:
        path = self.folder / f"{factor:g}" / "households.parquet"
        write_households(slower(self.table, factor), path)
        return self.flow.release(RawBatch(f"slower-{factor:g}", (path,), SETTINGS | settings), choice)


def share_now(live: str, text: str) -> float:
    told = re.search(
        rf"Surely more tenants are bad than in release {live}, by the same rule \(that of release {live}\): "
        r"[0-9.]+% \([^)]*\) then, ([0-9.]+)% \(",
        " ".join(text.split()),
    )
    assert told is not None, text
    return float(told[1])


def test_when_all_wait_longer_the_email_of_the_refusal_says_how_many_more_are_bad(flow: Flow, tmp_path: Path) -> None:
    landlord = Landlord(flow, generated_table(1_500, seed=4), tmp_path)
    live = landlord.upload(1.0, "approve", groups="new")
    assert live.execution["status"] == "SUCCEEDED", live.execution.get("cause")
    shares = []
    for factor in (1.5, 2.0, 4.0):
        refused = landlord.upload(factor)
        assert refused.execution["error"] == "UserError.feature_shift"
        mail = flow.mailbox.wait_for(f"Release {refused.release}: its data cannot be used")
        shares.append(share_now(live.release, mail["text"]))
        assert '"accept": ["feature_shift"]' in " ".join(mail["text"].split())
    assert shares == sorted(set(shares))

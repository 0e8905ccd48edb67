"""The demo's outcomes: they follow from who has a bad time, change no other file, and can be previewed."""

from __future__ import annotations

import csv
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from demo.generate_events import Margin, generate, main
from tenx.main import main as tenx

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(("margin", "bad_enough", "good_enough"), [("wide", 0.45, 0.2), ("none", 0.35, 0.3)])
def test_outcomes_follow_from_who_has_a_bad_time_and_change_no_other_file(
    margin: Margin, bad_enough: float, good_enough: float, tmp_path: Path
) -> None:
    truth = generate(tmp_path / "with", as_of=AS_OF, tenants=1_500, outcomes=True, margin=margin)
    generate(tmp_path / "without", as_of=AS_OF, tenants=1_500, margin=margin)
    generate(tmp_path / "again", as_of=AS_OF, tenants=1_500, outcomes=True, margin=margin)
    for file in (tmp_path / "without").iterdir():
        assert file.read_bytes() == (tmp_path / "with" / file.name).read_bytes()
    written = tmp_path / "with/outcomes.csv"
    assert written.read_bytes() == (tmp_path / "again/outcomes.csv").read_bytes()
    bad = dict(zip(truth.tenant_ids.tolist(), truth.bad.tolist(), strict=True))
    with written.open() as file:
        rows = list(csv.DictReader(file))
    surveys = [
        (bad[row["tenant_id"]], int(row["value"]) <= 2)
        for row in rows
        if row["kind"] == "survey" and row["tenant_id"] in bad and row["value"] != "11"
    ]
    shares = [sum(low for is_bad, low in surveys if is_bad == which) for which in (False, True)]
    counts = [sum(is_bad == which for is_bad, _ in surveys) for which in (False, True)]
    assert shares[1] / counts[1] > bad_enough
    assert shares[0] / counts[0] < good_enough
    assert {row["kind"] for row in rows} == {"survey", "complaint", "move_out", "renewal"}


def test_a_preview_shows_what_the_file_would_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    folder = str(tmp_path / "batch")
    assert main([folder, "--as-of", "2026-11-01T00:00:00Z", "--tenants", "300", "--outcomes"]) == 0
    # Links, as a person may have them, whose targets the preview must be allowed to read.
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "batch/outcomes.csv", tmp_path / "elsewhere/o.csv")
    (tmp_path / "batch/outcomes.csv").symlink_to(tmp_path / "elsewhere/o.csv")
    capsys.readouterr()
    assert tenx(["preview", folder, "--as-of", "2026-11-01T00:00:00Z"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "outcomes by source outcomes (kinds: " in told
    assert "1 rejected, 0 duplicates)" in told
    assert "unknown tenants, happened 2025-1" in told
    assert "Why outcomes were rejected" in told
    assert "out_of_range" in told
    # They are not among the events.
    assert "outcomes.csv" not in told.partition("outcomes by source")[0]

"""What is said about a batch that refuses nothing, and the gate on ids with several meanings."""

import zipfile
from pathlib import Path

import pytest

from tenant_experience.data_quality.describe import EventFigures, IntakeFigures
from tenant_experience.data_quality.gates import (
    age_warnings,
    check_conflicting_ids,
    intake_warnings,
    scope_warnings,
)
from tenant_experience.errors import UserError
from tenant_experience.features.partitions import assign_partitions
from tenant_experience.intake.files import skipped_files
from tests.support.raw_reading import USE_CASE


def events(conflicting: int, identical: int = 0) -> EventFigures:
    return EventFigures(
        duplicates_dropped=0,
        updates=0,
        conflicting_ids=conflicting,
        happened_again={},
        identical_rows=identical,
        events=1_000,
        first_event_at=None,
        last_event_at=None,
        rows_by_kind={},
        time_column="sold_at",
        kind_column=None,
        identity_columns=["client_id", "product", "sold_at"],
    )


def intake(*skipped: str) -> IntakeFigures:
    return IntakeFigures(1, 0, 0, 0.0, [], [], list(skipped))


def test_whatever_is_not_read_is_listed(tmp_path: Path):
    for name in ("_events.csv", "good.csv", "manifest.json", "_old/a.csv", ".DS_Store"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("good.csv", "x")
        archive.writestr("__MACOSX/good.csv", "x")
    assert skipped_files(tmp_path) == [".DS_Store", "_events.csv", "_old/a.csv", "b.zip/__MACOSX/good.csv"]


def test_skipped_files_and_conflicting_ids_are_warned_about():
    assert intake_warnings(intake(), events(0), USE_CASE) == []
    skipped, conflicting = intake_warnings(intake(*(f"_{place}.csv" for place in range(7))), events(3), USE_CASE)
    assert skipped.startswith("7 files were not read")
    assert skipped.endswith("_4.csv and 2 more")
    (one,) = intake_warnings(intake("_events.csv"), events(0), USE_CASE)
    assert one.startswith("1 file was not read")
    assert one.endswith(": _events.csv")
    assert conflicting.startswith(
        "3 of 1000 event ids (0.3%) are those of rows that differ in client_id, product or sold_at, "
    )


def test_many_ids_with_several_meanings_refuse_the_batch():
    check_conflicting_ids(events(100), USE_CASE)
    check_conflicting_ids(None, USE_CASE)
    with pytest.raises(UserError, match=r"101 of 1000 event ids \(10.1%\)") as caught:
        check_conflicting_ids(events(101), USE_CASE)
    assert caught.value.code == "conflicting_ids"


def test_features_older_than_the_live_ones_are_warned_about():
    assert age_warnings("2026-11-20T00:00:00Z", "2026-11-20T00:00:00Z") == []
    assert age_warnings("2026-11-20T00:00:00Z", None) == []
    (warning,) = age_warnings("2026-10-11T00:00:00Z", "2026-11-20T00:00:00Z")
    assert "40 days before those of the live release" in warning


def test_a_scope_that_ends_in_one_global_model_is_said():
    small = assign_partitions({"north": (900, 900)}, USE_CASE, "per_partition").values()
    large = assign_partitions({"north": (2_900, 2_900)}, USE_CASE, "per_partition").values()
    (warning,) = scope_warnings("per_partition", small, USE_CASE)
    assert "there is one global model" in warning
    assert scope_warnings("per_partition", large, USE_CASE) == scope_warnings("global", small, USE_CASE) == []

"""A tenant's outcomes are erased wherever they are kept: as they were uploaded, typed, and among the refused rows."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from operations.erasure import erasers as erasers_module
from operations.erasure.erasers import Erasers
from tenant_experience.erasure.id import ErasedId
from tests.support.places import USE_CASES

# Not distinctive: it is the tenant's only where the mapping of the source says so.
ME, OTHER = "7", "70"
BATCH = "raw/homes/b1/"
OUTCOMES = "Who;When;What\nn 7;2026-10-01;complaint\nn 70;2026-10-01;complaint\n"
LEFT = OUTCOMES.replace("n 7;2026-10-01;complaint\n", "")
EVENTS = "event_id,tenant_id,seen\nE1,70,7\nE2,7,3\n"
EVENTS_LEFT = "event_id,tenant_id,seen\nE1,70,7\n"


class _Bucket:
    """What the eraser asks of S3: the versions of a manifest, and their content."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        self._body = json.dumps(manifest).encode()

    def list_object_versions(self, **_: str) -> dict[str, Any]:
        return {"Versions": [{"Key": f"{BATCH}manifest.json", "VersionId": "1"}]}

    def get_object(self, **_: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(self._body)}


@pytest.fixture(params=[{"source": "events", "outcomes": "polls"}, {"outcomes": "polls"}, {"source": "outcomes"}])
def erasers(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Erasers]:
    homes = tmp_path / "use_cases/homes"
    (homes / "sources").mkdir(parents=True)
    settings = (USE_CASES / "tenant_experience/use_case.yaml").read_text()
    settings = settings.replace("name: tenant_experience", "name: homes").replace(
        "  source: outcomes", "  source: polls"
    )
    (homes / "use_case.yaml").write_text(settings)
    for name in ("events", "outcomes"):
        (homes / f"sources/{name}.yaml").write_text((USE_CASES / f"tenant_experience/sources/{name}.yaml").read_text())
    (homes / "sources/polls.yaml").write_text(
        "kind: outcomes\ncolumns: {tenant_id: \"replace(Who, 'n ', '')\", happened_at: '\"When\"', kind: What}\n"
        "csv: {delimiter: ';'}\n"
    )
    monkeypatch.setattr(erasers_module, "_USE_CASES", tmp_path / "use_cases")
    monkeypatch.setattr(erasers_module.objects, "s3", lambda: _Bucket(request.param))
    with Erasers("bucket", "homes", ErasedId((ME,))) as made:
        # No release of another use case is in this bucket.
        made.__dict__["_releases_of_others"] = frozenset()
        yield made


def test_events_that_were_kept_of_another_use_case_are_left_alone(erasers: Erasers) -> None:
    assert erasers.for_key("events/other/month=2026-11/r1.0.parquet") is None
    assert erasers.for_key("events/homes/month=2026-11/r1.0.parquet") is not None


def erased(erasers: Erasers, tmp_path: Path, key: str, content: bytes) -> tuple[int, bytes]:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    eraser = erasers.for_key(key)
    assert eraser is not None
    found = eraser.erase(source, key, target)
    assert not found.unreadable
    return found.removed, target.read_bytes() if found.left == "rewritten" else content


@pytest.mark.parametrize("name", ["outcomes.csv", "Outcomes.csv", "outcomes/2026/polls.csv"])
def test_the_rows_of_an_upload_go_by_the_source_of_outcomes(erasers: Erasers, tmp_path: Path, name: str) -> None:
    assert erased(erasers, tmp_path, BATCH + name, OUTCOMES.encode()) == (1, LEFT.encode())


def test_a_compressed_upload_too(erasers: Erasers, tmp_path: Path) -> None:
    removed, left = erased(erasers, tmp_path, f"{BATCH}outcomes.csv.gz", gzip.compress(OUTCOMES.encode()))
    assert (removed, gzip.decompress(left)) == (1, LEFT.encode())


@pytest.mark.parametrize(("archive", "member"), [("outcomes.zip", "polls.csv"), ("export.zip", "outcomes.csv")])
def test_an_archive_may_hold_outcomes(erasers: Erasers, tmp_path: Path, archive: str, member: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr(member, OUTCOMES)
        if archive == "export.zip":
            file.writestr("events.csv", EVENTS)
    removed, left = erased(erasers, tmp_path, BATCH + archive, packed.getvalue())
    with zipfile.ZipFile(io.BytesIO(left)) as file:
        assert file.read(member).decode() == LEFT
        if archive == "export.zip":
            assert file.read("events.csv").decode() == EVENTS_LEFT
    assert removed == (2 if archive == "export.zip" else 1)


def test_a_batch_that_is_named_outcomes_is_no_file_of_outcomes(erasers: Erasers, tmp_path: Path) -> None:
    key = "raw/homes/outcomes/events.csv"
    assert erased(erasers, tmp_path, key, EVENTS.encode()) == (1, EVENTS_LEFT.encode())


@pytest.mark.parametrize(
    ("key", "column"),
    [("features/r1/outcomes.parquet", "tenant_id"), ("quarantine/r1/outcome_quarantine.parquet", "raw_tenant_id")],
)
def test_the_typed_copy_and_the_refused_rows_are_erased(
    erasers: Erasers, tmp_path: Path, key: str, column: str
) -> None:
    moment = datetime(2026, 10, 1)
    table = pa.table({column: [ME, OTHER], "happened_at": [moment] * 2, "kind": ["complaint"] * 2, "value": [7.0, 7.0]})
    file = io.BytesIO()
    pq.write_table(table, file)
    removed, left = erased(erasers, tmp_path, key, file.getvalue())
    assert removed == 1
    assert pq.read_table(io.BytesIO(left))[column].to_pylist() == [OTHER]

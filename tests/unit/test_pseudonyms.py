"""With a key, nothing that a batch leaves holds a tenant's id; whoever has the key finds the tenant."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as parquet

from demo.generate_events import generate
from tenant_experience.pipeline.batch import Folders
from tenant_experience.pipeline.build_features import build_features
from tenant_experience.pseudonyms import Pseudonyms, pseudonym
from tests.support.places import USE_CASE_FOLDER

KEY = b"k" * 64
USE_CASE = USE_CASE_FOLDER
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)


def test_a_pseudonym_is_half_of_an_hmac() -> None:
    assert pseudonym(KEY, "T\xe9 1") == hmac.new(KEY, "T\xe9 1".encode(), hashlib.sha256).hexdigest()[:32]
    assert pseudonym(b"other", "T\xe9 1") != pseudonym(KEY, "T\xe9 1")


def test_a_key_is_not_shown() -> None:
    assert "kkkk" not in repr(Pseudonyms(KEY, "tenant_id", "sensitive"))


def built(folder: Path, raw: Path, key: bytes | None) -> dict[str, bytes]:
    """Every file that a build writes."""
    outputs = {name: folder / name for name in ("features", "quarantine", "reports")}
    for output in outputs.values():
        output.mkdir(parents=True)
    folders = Folders(raw=raw, use_case=USE_CASE, previous=folder / "previous", **outputs)
    build_features(folders, release="r1", use_case_name="tenant_experience", requested_at=AS_OF, pseudonym_key=key)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(folder: Path, name: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = parquet.read_table(folder / name).to_pylist()
    return found


def test_pseudonyms_stand_for_ids_in_everything_a_build_writes(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    generate(raw, as_of=AS_OF, tenants=600, seed=1, margin="wide")
    (raw / "manifest.json").write_text("{}")
    (raw / "broken.csv").write_text(
        "event_id,tenant_id,channel,opened_at,first_response_at,resolved_at\n"
        "b1,T000001,smoke signal,2026-01-01T00:00:00Z,,\nb2,T/00002,call,2026-01-01T00:00:00Z,,\n"
    )
    plain, hidden = tmp_path / "plain", tmp_path / "hidden"
    built(plain, raw, None)
    files = built(hidden, raw, KEY)

    for name in ("features/features.parquet", "quarantine/quarantine.parquet"):
        assert not {value for row in rows(hidden, name) for value in row.values() if str(value).startswith("T0000")}
    assert not [name for name, content in files.items() if b"T0000" in content]

    known = {pseudonym(KEY, str(row.pop("tenant_id"))): row for row in rows(plain, "features/features.parquet")}
    assert {str(row.pop("tenant_id")): row for row in rows(hidden, "features/features.parquet")} == known
    refused = {row["line"]: row for row in rows(hidden, "quarantine/quarantine.parquet") if row["file"] == "broken.csv"}
    assert (refused[2]["reason"], refused[2]["raw_tenant_id"]) == ("unknown_channel", pseudonym(KEY, "T000001"))
    assert (refused[3]["reason"], refused[3]["raw_tenant_id"]) == ("malformed_id", pseudonym(KEY, "T/00002"))

"""A record is erased from files of the queue: rows of their source, whose id may need the file's name, or ids alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from operations.erasure.erasers import Erasers
from tenant_experience.erasure.id import ErasedId
from tests.support.inference_export import inference_lines, write_inference

LINES = inference_lines(6, seed=4)
CELLS = LINES[2].split(",")
ME = " ".join(["dim_1_test", CELLS[1], *(CELLS[place] for place in (3, 5, 7, 9))])
OTHER = "C 70"


@pytest.fixture
def erasers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Erasers]:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path / "ml"))
    monkeypatch.setattr(Erasers, "_releases_of_others", frozenset())
    with Erasers("data", "telecom_churn", ErasedId.of(ME, case="sensitive")) as found:
        yield found


def erase(erasers: Erasers, path: Path, key: str) -> tuple[int, str, bytes]:
    eraser = erasers.for_key(key)
    assert eraser is not None
    target = path.with_name("target")
    found = eraser.erase(path, key, target)
    return found.removed, found.left, target.read_bytes() if found.left == "rewritten" else b""


def test_the_row_whose_id_is_made_of_columns_and_the_files_name_goes(erasers: Erasers, tmp_path: Path) -> None:
    path = write_inference(tmp_path / "dim_1_test.csv", LINES)
    kept = write_inference(tmp_path / "kept.csv", [*LINES[:2], *LINES[3:]]).read_bytes()
    assert erase(erasers, path, "inference/telecom_churn/dim_1_test.csv") == (1, "rewritten", kept)
    # In a file of another name the same row is somebody else's.
    assert erase(erasers, path, "inference/telecom_churn/dim_2_test.csv") == (0, "as it was", b"")


@pytest.mark.parametrize("suffix", [".csv", ".txt", ".jsonl"])
def test_an_id_alone_goes(erasers: Erasers, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"ids{suffix}"
    lines = [f'{{"customer_id": "{each}"}}' if suffix == ".jsonl" else each for each in (OTHER, ME)]
    header = [] if suffix == ".jsonl" else ["customer_id"]
    path.write_text("".join(f"{line}\n" for line in [*header, *lines]))
    removed, left, content = erase(erasers, path, f"inference/telecom_churn/ids{suffix}")
    assert (removed, left, content.decode()) == (1, "rewritten", "".join(f"{line}\n" for line in [*header, lines[0]]))


def test_an_id_alone_goes_from_parquet(erasers: Erasers, tmp_path: Path) -> None:
    path = tmp_path / "ids.parquet"
    parquet.write_table(pa.table({"customer_id": [OTHER, ME]}), path)
    removed, left, content = erase(erasers, path, "inference/telecom_churn/ids.parquet")
    assert (removed, left) == (1, "rewritten")
    assert parquet.read_table(pa.BufferReader(content))["customer_id"].to_pylist() == [OTHER]


@pytest.mark.parametrize("first", ["inference", "evaluations"])
def test_files_of_other_use_cases_are_not_searched(erasers: Erasers, first: str) -> None:
    assert erasers.for_key(f"{first}/credit_risk/a.csv") is None
    assert erasers.for_key(f"{first}/telecom_churn/a.csv/evaluation.json") is not None

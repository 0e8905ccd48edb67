"""A tenant leaves what scoring keeps: what was uploaded, the working files, the answers and the errors."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto import mock_aws

from operations.erasure import erasers as erasers_module
from operations.erasure.erasers import Erasers
from operations.erasure.tables import erase_answer
from operations.stack import Stack
from tenant_experience.erasure.id import ErasedId
from tenant_experience.scoring.answers import to_table
from tests.support.kept_answers import row_of
from tests.support.written_use_case import table_of

BUCKET = "data"
# Short enough to be a part of other texts, so that only the columns of ids say whose a row is.
ME = "7"


@pytest.fixture
def erasers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Erasers]:
    written = table_of(tmp_path / "made", 3)
    shutil.copytree(written.folder, tmp_path / "use_cases/written")
    (tmp_path / "use_cases/other").mkdir()
    monkeypatch.setattr(erasers_module, "_USE_CASES", tmp_path / "use_cases")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        monkeypatch.setattr(erasers_module.objects, "s3", lambda: client)
        for batch, manifest in (("ids", {"source": "ids"}), ("rows", {})):
            key = f"score/written/{batch}/manifest.json"
            client.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(manifest).encode())
        with Erasers(BUCKET, "written", ErasedId((ME,))) as made:
            yield made


def erased(erasers: Erasers, tmp_path: Path, key: str, content: bytes) -> bytes:
    eraser = erasers.for_key(key)
    assert eraser is not None
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    found = eraser.erase(source, key, target)
    assert (found.removed, found.left, found.unreadable) == (1, "rewritten", ())
    return target.read_bytes()


def parquet(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


def test_uploaded_ids_and_rows(erasers: Erasers, tmp_path: Path) -> None:
    assert erased(erasers, tmp_path, "score/written/ids/a.csv", b"client\n7\n77\n") == b"client\n77\n"
    rows = b"c0,c1,c2,c3\n7,north,1,red\n8,north,7,red\n"
    assert erased(erasers, tmp_path, "score/written/rows/a.csv", rows) == b"c0,c1,c2,c3\n8,north,7,red\n"


def test_working_files(erasers: Erasers, tmp_path: Path) -> None:
    lines = [json.dumps({"tenant_id": name, "features": {"amount": 7}}).encode() + b"\n" for name in ("7", "8")]
    key = "scoring/20261129-abcdef0/prepared/requests/all/part-00000.jsonl"
    assert erased(erasers, tmp_path, key, b"".join(lines)) == lines[1]
    table = pa.table({"client": ["7", "8"], "amount": [1.0, 7.0]})
    left = erased(erasers, tmp_path, "scoring/20261129-abcdef0/prepared/features.parquet", parquet(table))
    assert pq.read_table(io.BytesIO(left)).to_pylist() == [{"client": "8", "amount": 7.0}]


def test_answers_and_errors(erasers: Erasers, tmp_path: Path) -> None:
    answers = to_table([row_of("7", 0.5), row_of("8", 0.5)])
    folder = "written/date=2026-11-29/b1"
    left = erased(erasers, tmp_path, f"predictions/{folder}/part-00000.parquet", parquet(answers))
    assert pq.read_table(io.BytesIO(left))["record_id"].to_pylist() == ["8"]
    left = erased(erasers, tmp_path, f"predictions/{folder}/_part-00000.csv", b"record_id,answer\n7,bad\n8,bad\n")
    assert left == b"record_id,answer\n8,bad\n"
    errors = pa.table({"record_id": ["7", None], "reason": ["no_features", "ragged_row"], "line": [None, 7]})
    left = erased(erasers, tmp_path, f"errors/{folder}/errors.parquet", parquet(errors))
    assert pq.read_table(io.BytesIO(left))["reason"].to_pylist() == ["ragged_row"]


def test_what_belongs_to_another_use_case_is_not_searched(erasers: Erasers) -> None:
    for key in (
        "score/other/b/a.csv",
        "predictions/other/date=x/b/part-00000.parquet",
        "errors/other/date=x/b/e.parquet",
    ):
        assert erasers.for_key(key) is None


def test_what_names_no_use_case_is_searched(erasers: Erasers, tmp_path: Path) -> None:
    left = erased(erasers, tmp_path, "predictions/by-hand/answers.csv", b"client,answer\n7,bad\n8,bad\n")
    assert left == b"client,answer\n8,bad\n"


def test_the_kept_answer_is_deleted_by_every_form_of_the_id_and_nobody_elses() -> None:
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="answers",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "record", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "record", "KeyType": "HASH"}],
        )
        for name in ("written#7", "written#77", "other#7", "written#p"):
            client.put_item(TableName="answers", Item={"record": {"S": name}})
        stack: Any = cast(Stack, SimpleNamespace(outputs={"AnswerTableName": "answers"}))
        for removes, left in ((False, 4), (True, 2)):
            place = erase_answer(stack, "written", ErasedId(("7", "p")), removes=removes)
            assert (place.found, place.removed) == (2, 2 if removes else 0)
            assert client.scan(TableName="answers")["Count"] == left

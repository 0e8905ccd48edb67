"""Glue's tables of a template, and queries that must not be answered from nowhere."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from local_aws.tests.server.laptops import PYTHON
from local_aws.tests.server.machines import eventually

Client = Callable[..., Any]
HAS_DUCKDB = subprocess.run([PYTHON, "-c", "import duckdb"], capture_output=True, check=False).returncode == 0  # noqa: S603
PROJECTION = {"projection.enabled": "true", "projection.date.type": "date", "projection.date.format": "yyyy-MM-dd"}


def template(columns: list[str], **parameters: str) -> str:
    storage = {"Columns": [{"Name": name, "Type": "string"} for name in columns], "Location": "s3://data/predictions/"}
    table = {
        "Name": "predictions",
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": "date", "Type": "string"}],
        "Parameters": parameters,
        "StorageDescriptor": storage,
    }
    account = {"Ref": "AWS::AccountId"}
    database = {"CatalogId": account, "DatabaseInput": {"Name": "scores"}}
    resources = {
        "Database": {"Type": "AWS::Glue::Database", "Properties": database},
        "Table": {
            "Type": "AWS::Glue::Table",
            "Properties": {"CatalogId": account, "DatabaseName": {"Ref": "Database"}, "TableInput": table},
        },
    }
    return json.dumps({"Resources": resources})


def test_a_table_comes_changes_and_goes_with_its_stack(client: Client) -> None:
    cloudformation, glue = client("cloudformation"), client("glue")

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName="tables-of-files")["Stacks"][0]["StackStatus"])

    cloudformation.create_stack(StackName="tables-of-files", TemplateBody=template(["id"], **PROJECTION))
    eventually(lambda: status() == "CREATE_COMPLETE")
    found = glue.get_table(DatabaseName="scores", Name="predictions")["Table"]
    assert found["Parameters"] == PROJECTION
    assert [key["Name"] for key in found["PartitionKeys"]] == ["date"]
    changed = {**PROJECTION, "projection.date.range": "2024-01-01,NOW"}
    cloudformation.update_stack(StackName="tables-of-files", TemplateBody=template(["id", "score"], **changed))
    eventually(lambda: status() == "UPDATE_COMPLETE")
    found = glue.get_table(DatabaseName="scores", Name="predictions")["Table"]
    assert found["Parameters"] == changed
    assert [column["Name"] for column in found["StorageDescriptor"]["Columns"]] == ["id", "score"]
    cloudformation.delete_stack(StackName="tables-of-files")

    def gone() -> bool:
        with pytest.raises(ClientError, match="EntityNotFound"):
            glue.get_table(DatabaseName="scores", Name="predictions")
        return True

    eventually(lambda: "scores" not in {each["Name"] for each in glue.get_databases()["DatabaseList"]})
    assert gone()


def answer(client: Client, query: str) -> tuple[dict[str, Any], list[list[str]]]:
    """How a query ended, and its rows."""
    athena = client("athena")
    output = {"OutputLocation": "s3://queries/answers/"}
    asked = athena.start_query_execution(QueryString=query, ResultConfiguration=output)["QueryExecutionId"]

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = athena.get_query_execution(QueryExecutionId=asked)["QueryExecution"]["Status"]
        return found if found["State"] in {"SUCCEEDED", "FAILED"} else None

    status = eventually(ended)
    if status["State"] == "FAILED":
        return status, []
    rows = athena.get_query_results(QueryExecutionId=asked)["ResultSet"]["Rows"]
    return status, [[cell.get("VarCharValue", "") for cell in row["Data"]] for row in rows[1:]]


@pytest.mark.skipif(HAS_DUCKDB, reason="DuckDB is installed and answers")
def test_a_query_without_an_engine_fails_and_says_why(client: Client) -> None:
    for query in ("SELECT count(*) FROM predictions", "SELECT nonsense FROM", "nonsense"):
        status, _ = answer(client, query)
        assert status["State"] == "FAILED"
        assert "duckdb" in status["StateChangeReason"]


@pytest.mark.slow
@pytest.mark.skipif(not HAS_DUCKDB, reason="DuckDB is not installed beside MiniStack")
def test_queries_read_the_objects_of_projected_partitions(client: Client) -> None:
    s3, glue = client("s3"), client("glue")
    s3.create_bucket(Bucket="queries")
    for use_case, day, score in (("churn", "2026-01-02", 1), ("churn", "2026-01-03", 2), ("rent", "2026-01-02", 3)):
        body = io.BytesIO()
        pq.write_table(pa.table({"id": [use_case], "score": [score], "unknown": [0]}), body)
        key = f"predictions/{use_case}/date={day}/batch/part-00000.parquet"
        s3.put_object(Bucket="queries", Key=key, Body=body.getvalue())
    s3.put_object(Bucket="queries", Key="predictions/readme.txt", Body=b"in no partition")
    glue.create_database(DatabaseInput={"Name": "queries"})
    table = {
        "Name": "predictions",
        "PartitionKeys": [{"Name": "use_case", "Type": "string"}, {"Name": "date", "Type": "string"}],
        "Parameters": {
            "classification": "parquet",
            **PROJECTION,
            "projection.use_case.type": "injected",
            "storage.location.template": "s3://queries/predictions/${use_case}/date=${date}/",
        },
        "StorageDescriptor": {
            "Columns": [{"Name": "id", "Type": "string"}, {"Name": "score", "Type": "bigint"}],
            "Location": "s3://queries/predictions/",
            "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
        },
    }
    glue.create_table(DatabaseName="queries", TableInput=table)
    status, rows = answer(client, "SELECT * FROM queries.predictions WHERE use_case = 'churn' ORDER BY date")
    assert status["State"] == "SUCCEEDED", status
    assert rows == [["churn", "1", "churn", "2026-01-02"], ["churn", "2", "churn", "2026-01-03"]]
    status, _ = answer(client, "SELECT * FROM queries.predictions")
    assert "injected" in status["StateChangeReason"]
    status, _ = answer(client, "SELECT unknown FROM queries.predictions WHERE use_case = 'churn'")
    assert status["State"] == "FAILED"

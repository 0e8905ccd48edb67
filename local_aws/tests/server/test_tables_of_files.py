"""Glue's tables of a template, and queries that must not be answered from nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.tests.server.machines import eventually

Client = Callable[..., Any]
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


def test_a_query_without_an_engine_fails_and_says_why(client: Client) -> None:
    athena = client("athena")
    output = {"OutputLocation": "s3://data/answers/"}
    for query in ("SELECT count(*) FROM predictions", "SELECT nonsense FROM", "nonsense"):
        asked = athena.start_query_execution(QueryString=query, ResultConfiguration=output)["QueryExecutionId"]

        def ended(asked: str = asked) -> dict[str, Any] | None:
            found: dict[str, Any] = athena.get_query_execution(QueryExecutionId=asked)["QueryExecution"]["Status"]
            return found if found["State"] in {"SUCCEEDED", "FAILED"} else None

        status = eventually(ended)
        assert status["State"] == "FAILED"
        assert "duckdb" in status["StateChangeReason"]

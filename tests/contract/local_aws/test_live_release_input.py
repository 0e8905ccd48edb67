"""What BuildFeatures is given to compare with: the state machine's own expressions, with and without a live release."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_aws.tests.server.machines import Machines
from tests.support.places import STATE_MACHINE

TABLE = "live-release-input"
GIVEN = {"use_case": "tenant_experience", "batch": "b1", "release": "20261120-b", "requested_at": "2026-11-20"}


@pytest.fixture(scope="module")
def inputs_of_the_job(machines: Machines, client: Any) -> Any:
    """The states before BuildFeatures as they are, then the processing inputs that BuildFeatures would send."""
    client("dynamodb").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    text = STATE_MACHINE.read_text().replace("${ReleaseTable}", TABLE).replace("${DataBucket}", "data")
    states = json.loads(text)["States"]
    inputs = states["BuildFeatures"]["Arguments"]["ProcessingInputs"]
    return lambda: machines.output(
        {
            **{name: states[name] for name in ("Begin", "ReadLiveRelease", "CheckLiveRelease")},
            "CheckApprovers": {"Type": "Pass", "Next": "BuildFeatures"},
            "BuildFeatures": {"Type": "Pass", "Output": inputs, "End": True},
        },
        GIVEN,
    )


def test_the_features_of_the_live_release_are_an_input_once_there_is_one(inputs_of_the_job: Any, client: Any) -> None:
    before = inputs_of_the_job()
    assert [given["InputName"] for given in before] == ["raw", "use_case"]
    assert before[0]["S3Input"]["S3Uri"] == "s3://data/raw/tenant_experience/b1/"
    live = {"id": {"S": "live#tenant_experience"}, "release": {"S": "20261101-a"}, "revision": {"N": "1"}}
    client("dynamodb").put_item(TableName=TABLE, Item=live)
    *others, previous = inputs_of_the_job()
    assert others == before
    assert previous == {
        "InputName": "previous",
        "S3Input": {
            "S3Uri": "s3://data/features/20261101-a/",
            "LocalPath": "/opt/ml/processing/input/previous",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        },
    }

"""What the template says about the API's functions is what their code needs, and no more."""

from __future__ import annotations

import json

import pytest

from tenant_experience import data_layout
from tests.support.function_module import function_module
from tests.support.places import STATE_MACHINE
from tests.support.template import properties_of

FUNCTIONS = {"Features": "features", "Predictions": "predictions"}
ARN = "arn:${AWS::Partition}:sagemaker:${AWS::Region}:${AWS::AccountId}"


@pytest.mark.parametrize(("logical", "folder"), FUNCTIONS.items())
def test_the_gateway_passes_on_what_the_function_answers(logical: str, folder: str) -> None:
    events = [event["Properties"] for event in properties_of(logical)["Events"].values()]
    assert {event["Path"] for event in events} == set(function_module(folder).METHODS)
    assert len(events) == len(function_module(folder).METHODS)
    assert all((event["RestApiId"], event["Method"], event.get("Auth")) == ("Api", "ANY", None) for event in events)


@pytest.mark.parametrize("logical", FUNCTIONS)
def test_a_function_of_the_api_reads_only_what_belongs_to_the_stack_and_is_live(logical: str) -> None:
    (policy,) = properties_of(logical)["Policies"]
    statements = [each for each in policy["Statement"] if isinstance(each, dict)]
    resources = {each["Resource"] for each in statements}
    expected = {f"{ARN}:feature-group/${{Project}}-*"}
    if logical == "Predictions":
        expected |= {f"{ARN}:endpoint/${{Project}}", "ReleaseTable.Arn"}
        (pointer,) = (each for each in statements if each["Resource"] == "ReleaseTable.Arn")
        assert pointer["Action"] == "dynamodb:GetItem"
        assert pointer["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["live#*"]}}
    assert resources == expected


@pytest.mark.parametrize("logical", FUNCTIONS)
def test_no_setting_names_one_feature_group(logical: str) -> None:
    assert "FEATURE_GROUP" not in properties_of(logical)["Environment"]["Variables"]


def test_features_are_read_from_the_group_that_the_state_machine_fills() -> None:
    definition = STATE_MACHINE.read_text()
    written = "{% '${Project}-' & $states.input.use_case %}"
    assert json.dumps("--feature-group") + ",\n          " + json.dumps(written) in definition
    assert data_layout.feature_group("te", "bank_marketing") == "te-bank_marketing"

"""What the template says about the API's functions is what their code needs, and no more."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
import yaml

from tenant_experience import data_layout
from tests.support.function_module import function_module
from tests.support.places import ROOT, STATE_MACHINE

FUNCTIONS = {"Features": "features", "Predictions": "predictions"}
ARN = "arn:${AWS::Partition}:sagemaker:${AWS::Region}:${AWS::AccountId}"


class _Template(yaml.SafeLoader):
    """Reads CloudFormation's short forms: ``!Sub x`` is x, and lists and maps are what they hold."""


def _short_form(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)  # type: ignore[arg-type]  # only scalars are left


_Template.add_multi_constructor("!", _short_form)


@cache
def properties_of(logical: str) -> dict[str, Any]:
    template = yaml.load((ROOT / "template.yaml").read_text(), Loader=_Template)  # noqa: S506  # a SafeLoader
    properties: dict[str, Any] = template["Resources"][logical]["Properties"]
    return properties


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

"""Which image, entry point and instances BuildFeatures gets: the state machine's own expressions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_aws.tests.server.machines import Machines
from tests.support.places import STATE_MACHINE

INPUT = {"release": "r1", "use_case": "u", "batch": "b1", "requested_at": "2026-11-20T10:00:00Z"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, ["one", "build_features.py", 1]),
        ({"processing": {"engine": "duckdb", "instances": 1}}, ["one", "build_features.py", 1]),
        ({"processing": {"engine": "spark", "instances": 3}}, ["two", "build_features_spark.py", 3]),
    ],
)
def test_the_input_chooses_the_engine(machines: Machines, more: dict[str, Any], expected: list[Any]) -> None:
    text = STATE_MACHINE.read_text().replace("${ContainerImageUri}", "one").replace("${SparkImageUri}", "two")
    states = json.loads(text)["States"]
    job = states["BuildFeatures"]["Arguments"]
    image, script, count = machines.output(
        {
            "Given": {"Type": "Pass", "Output": {**INPUT, **more}, "Next": "Begin"},
            "Begin": {**states["Begin"], "Next": "BuildFeatures"},
            "BuildFeatures": {
                "Type": "Pass",
                "Output": [
                    job["AppSpecification"]["ImageUri"],
                    job["AppSpecification"]["ContainerEntrypoint"][1],
                    job["ProcessingResources"]["ClusterConfig"]["InstanceCount"],
                ],
                "End": True,
            },
        }
    )
    assert [image, script.rpartition("/")[2], count] == expected

"""``processing`` of use_case.yaml: the function that starts a release and the job agree on what is allowed."""

from pathlib import Path

import pytest
import yaml

from tenant_experience.errors import UserError
from tenant_experience.spark.instances import Instances
from tenant_experience.use_case.processing import ProcessingRequest, read_processing
from tenant_experience.use_case.schema import load_use_case
from tests.support.places import USE_CASE_FOLDER

USE_CASE = USE_CASE_FOLDER / "use_case.yaml"


def use_case(tmp_path: Path, processing: object) -> bytes:
    document = yaml.safe_load(USE_CASE.read_text()) | {"processing": processing}
    (tmp_path / "use_case.yaml").write_text(yaml.safe_dump(document))
    return (tmp_path / "use_case.yaml").read_bytes()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"engine": "duckdb", "instances": 1}),
        ({"engine": "spark"}, {"engine": "spark", "instances": 1}),
        ({"engine": "spark", "instances": 8}, {"engine": "spark", "instances": 8}),
    ],
)
def test_what_an_execution_is_told(tmp_path: Path, given: object, expected: dict):
    assert read_processing(use_case(tmp_path, given), "image") == ProcessingRequest(**expected)
    assert load_use_case(tmp_path).processing.model_dump() == expected


def test_a_use_case_without_the_key_runs_on_duckdb():
    assert read_processing(b"name: other", "") == ProcessingRequest("duckdb", 1)


@pytest.mark.parametrize(
    "given",
    [
        {"engine": "pandas"},
        {"engine": "spark", "instances": 0},
        {"engine": "spark", "instances": 101},
        {"engine": "spark", "instances": "two"},
        {"engine": "spark", "instances": True},
        {"engine": "duckdb", "instances": 2},
        {"engine": "spark", "workers": 2},
        "spark",
    ],
)
def test_what_both_refuse(tmp_path: Path, given: object):
    text = use_case(tmp_path, given)
    for read in (lambda: read_processing(text, "image"), lambda: load_use_case(tmp_path)):
        with pytest.raises(UserError, match="processing") as refusal:
            read()
        assert refusal.value.code == "invalid_use_case"


def test_spark_without_an_image_is_refused_before_anything_starts(tmp_path: Path):
    with pytest.raises(UserError, match="SparkImageUri") as refusal:
        read_processing(use_case(tmp_path, {"engine": "spark"}), "")
    assert refusal.value.code == "no_spark_image"


def test_hosts_are_names_in_the_network_and_this_machine_on_a_laptop():
    hosts = ("algo-1", "algo-2")
    there, here = Instances(hosts, "algo-2", "eth0", "arn:1"), Instances(hosts, "algo-1", "lo", "arn:2")
    assert (there.leader, there.here, there.leads) == ("algo-1", "algo-2", False)
    assert (here.leader, here.here, here.leads) == ("127.0.0.1", "127.0.0.1", True)
    assert there.port != here.port

"""Endpoints: creation, invocation, update under load, roll-back, deletion, restart."""

from __future__ import annotations

import io
import json
import os
import signal
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest

from local_aws.sagemaker import SageMaker, ServiceError, Timing
from local_aws.tests.sagemaker.support import BUCKET, IMAGE_URI, ROLE, Make, wait_for, wait_while


def archive(**files: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def configure(sagemaker: SageMaker, name: str, mode: str = "SingleModel", **environment: str) -> None:
    data = {"SingleModel": f"s3://{BUCKET}/single/model.tar.gz", "MultiModel": f"s3://{BUCKET}/models/"}[mode]
    container = {"Image": IMAGE_URI, "Mode": mode, "ModelDataUrl": data, "Environment": environment}
    sagemaker.call("CreateModel", {"ModelName": name, "PrimaryContainer": container, "ExecutionRoleArn": ROLE})
    variant = {"VariantName": "AllTraffic", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    sagemaker.call("CreateEndpointConfig", {"EndpointConfigName": name, "ProductionVariants": [variant]})


def describe(sagemaker: SageMaker) -> dict[str, Any]:
    return sagemaker.call("DescribeEndpoint", {"EndpointName": "ep"})


def settled(sagemaker: SageMaker) -> dict[str, Any]:
    return wait_while(lambda: describe(sagemaker), "EndpointStatus", "Creating", "Updating")


def create(sagemaker: SageMaker, config: str = "one") -> dict[str, Any]:
    sagemaker.call("CreateEndpoint", {"EndpointName": "ep", "EndpointConfigName": config})
    return settled(sagemaker)


def invoke(sagemaker: SageMaker, body: bytes = b"x", **headers: str) -> tuple[int, dict[str, str], Any]:
    names = {"target": "X-Amzn-SageMaker-Target-Model", "attributes": "X-Amzn-SageMaker-Custom-Attributes"}
    given = {"Content-Type": "text/csv", "Accept": "application/json"} | {names[k]: v for k, v in headers.items()}
    status, answered, data = sagemaker.invoke_endpoint("ep", given, body)
    return status, answered, json.loads(data)


@pytest.fixture(autouse=True)
def models(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="single/model.tar.gz", Body=archive(weights="w"))
    for number in range(4):
        s3.put_object(Bucket=BUCKET, Key=f"models/m{number}/1/model.tar.gz", Body=archive(value=f"m{number}"))


def target(number: int) -> str:
    return f"m{number}/1/model.tar.gz"


def test_a_single_model_answers(sagemaker: SageMaker) -> None:
    configure(sagemaker, "one", GREETING="hello")
    found = create(sagemaker)
    assert found["EndpointStatus"] == "InService"
    assert found["ProductionVariants"][0]["VariantName"] == "AllTraffic"
    status, headers, seen = invoke(sagemaker, attributes="told")
    assert status == 200
    assert headers["x-Amzn-Invoked-Production-Variant"] == "AllTraffic"
    assert headers["X-Amzn-SageMaker-Custom-Attributes"] == "heard"
    assert seen["files"] == ["weights"]
    assert seen["headers"]["content-type"] == "text/csv"
    assert seen["headers"]["x-amzn-sagemaker-custom-attributes"] == "told"


def test_what_a_container_refuses_is_a_model_error(sagemaker: SageMaker) -> None:
    configure(sagemaker, "one")
    create(sagemaker)
    for code, side in ((415, "client"), (500, "server")):
        status, headers, told = invoke(sagemaker, f"status:{code}".encode())
        assert (status, headers["x-amzn-errortype"]) == (424, "ModelError")
        assert (told["OriginalStatusCode"], told["OriginalMessage"]) == (code, "the container's words")
        assert told["Message"].startswith(f"Received {side} error ({code}) from primary with message")
    status, headers, told = invoke(sagemaker, target=target(1))
    assert (status, headers["x-amzn-errortype"]) == (400, "ValidationError")
    assert "does not support target model header" in told["Message"]


def test_a_container_that_takes_too_long(make: Make) -> None:
    sagemaker = make(timing=Timing(startup=15, invocation=0.3))
    configure(sagemaker, "one")
    create(sagemaker)
    status, _, told = invoke(sagemaker, b"sleep:2")
    assert status == 424
    assert "Your invocation timed out" in told["OriginalMessage"]


def test_endpoints_that_are_not_there(sagemaker: SageMaker) -> None:
    assert invoke(sagemaker)[2]["Message"] == "Endpoint ep of account 000000000000 not found."
    with pytest.raises(ServiceError, match="Could not find endpoint configuration"):
        create(sagemaker, "none")
    with pytest.raises(ServiceError, match="Could not find endpoint"):
        describe(sagemaker)


@pytest.mark.parametrize("fault", ["UNHEALTHY", "DIE"])
def test_a_first_creation_that_is_not_healthy_fails_and_can_only_be_deleted(make: Make, fault: str) -> None:
    sagemaker = make(timing=Timing(startup=0.5))
    configure(sagemaker, "one", **{fault: "1"})
    found = create(sagemaker)
    assert found["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in found["FailureReason"]
    with pytest.raises(ServiceError, match="Cannot update failed endpoint"):
        sagemaker.call("UpdateEndpoint", {"EndpointName": "ep", "EndpointConfigName": "one"})
    sagemaker.call("DeleteEndpoint", {"EndpointName": "ep"})


def test_updates_under_load_drop_nothing_and_a_bad_one_rolls_back(make: Make) -> None:
    sagemaker = make(timing=Timing(startup=3))
    for name, environment in (("one", {"VERSION": "1"}), ("two", {"VERSION": "2"}), ("bad", {"UNHEALTHY": "1"})):
        configure(sagemaker, name, **environment)
    create(sagemaker)
    statuses, versions, stop = [], set(), threading.Event()

    def client() -> None:
        while not stop.is_set():
            status, _, seen = invoke(sagemaker, b"sleep:0.01")
            statuses.append(status)
            versions.add(seen.get("version"))

    clients = [threading.Thread(target=client) for _ in range(8)]
    for each in clients:
        each.start()
    sagemaker.call("UpdateEndpoint", {"EndpointName": "ep", "EndpointConfigName": "two"})
    assert describe(sagemaker)["PendingDeploymentSummary"]["EndpointConfigName"] == "two"
    for operation, more in (("UpdateEndpoint", {"EndpointConfigName": "one"}), ("DeleteEndpoint", {})):
        with pytest.raises(ServiceError, match="Cannot update in-progress endpoint") as refused:
            sagemaker.call(operation, {"EndpointName": "ep", **more})
        assert refused.value.code == "ValidationException"
    assert settled(sagemaker)["EndpointConfigName"] == "two"
    wait_for(lambda: invoke(sagemaker)[2]["version"] == "2", what="the new version")
    sagemaker.call("UpdateEndpoint", {"EndpointName": "ep", "EndpointConfigName": "bad"})
    found = settled(sagemaker)
    stop.set()
    for each in clients:
        each.join()
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", "two")
    assert "did not pass the ping health check" in found["FailureReason"]
    assert invoke(sagemaker)[2]["version"] == "2"
    assert set(statuses) == {200}
    assert versions == {"1", "2"}


def test_a_container_that_dies_is_started_again(sagemaker: SageMaker) -> None:
    configure(sagemaker, "one")
    create(sagemaker)
    pid = invoke(sagemaker)[2]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: invoke(sagemaker)[0] == 200, what="the container's return")
    assert invoke(sagemaker)[2]["pid"] != pid


def test_deletion_ends_the_process_and_frees_the_name(sagemaker: SageMaker) -> None:
    configure(sagemaker, "one")
    create(sagemaker)
    pid = invoke(sagemaker)[2]["pid"]
    sagemaker.call("DeleteEndpoint", {"EndpointName": "ep"})
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), what="the end of the process")
    wait_for(lambda: sagemaker.call("ListEndpoints", {})["Endpoints"] == [], what="the end of the endpoint")
    assert create(sagemaker)["EndpointStatus"] == "InService"


def test_a_restart_brings_endpoints_back(make: Make) -> None:
    first = make()
    configure(first, "many", "MultiModel")
    create(first, "many")
    pid = invoke(first, target=target(1))[2]["pid"]
    first.stop()
    assert not Path(f"/proc/{pid}").exists()
    second = make()
    assert describe(second)["EndpointStatus"] == "InService"
    assert invoke(second, target=target(1))[2]["value"] == "m1"


def test_multi_model_needs_the_labels_of_the_image(make: Make, image: Any) -> None:
    bare = type(image)(name="program", interpreter=image.interpreter, mounts=image.mounts, path=image.path)
    sagemaker = make(images=[bare])
    with pytest.raises(ServiceError, match=r"does not contain required .*multi-models=true Docker label"):
        configure(sagemaker, "many", "MultiModel")


def test_the_model_data_of_a_single_model_must_be_there(sagemaker: SageMaker, s3: Any) -> None:
    s3.delete_object(Bucket=BUCKET, Key="single/model.tar.gz")
    with pytest.raises(ServiceError, match=r"Could not find model data at s3://contract/single/model\.tar\.gz"):
        configure(sagemaker, "one")


def test_a_model_loads_once_however_many_ask_first(sagemaker: SageMaker) -> None:
    configure(sagemaker, "many", "MultiModel")
    create(sagemaker, "many")
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(invoke(sagemaker, target=target(0)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(status, seen["value"]) for status, _, seen in answers} == {(200, "m0")}
    seen = invoke(sagemaker, target=target(0))[2]
    assert seen["loads"] == ["m0"]
    assert seen["headers"]["x-amzn-sagemaker-target-model"] == target(0)


def test_507_unloads_the_model_that_was_used_least_recently(sagemaker: SageMaker) -> None:
    configure(sagemaker, "many", "MultiModel", CAPACITY="2")
    create(sagemaker, "many")
    for number in (0, 1, 0):
        assert invoke(sagemaker, target=target(number))[2]["value"] == f"m{number}"
    assert invoke(sagemaker, target=target(2))[2]["loaded"] == ["m0", "m2"]
    assert invoke(sagemaker, target=target(1))[2]["loaded"] == ["m1", "m2"]


def test_without_room_for_one_the_container_s_507_is_told(sagemaker: SageMaker) -> None:
    configure(sagemaker, "many", "MultiModel", CAPACITY="0")
    create(sagemaker, "many")
    status, _, told = invoke(sagemaker, target=target(0))
    assert (status, told["OriginalStatusCode"]) == (424, 507)


def test_archives_that_are_missing_or_bad(sagemaker: SageMaker, s3: Any) -> None:
    configure(sagemaker, "many", "MultiModel")
    create(sagemaker, "many")
    s3.put_object(Bucket=BUCKET, Key="models/bad.tar.gz", Body=b"not an archive")
    s3.put_object(Bucket=BUCKET, Key="models/evil.tar.gz", Body=archive(**{"../../../evil": "x"}))
    expected = {"none.tar.gz": "download", "bad.tar.gz": "extract", "evil.tar.gz": "extract", "../x": "download"}
    for name, verb in expected.items():
        status, headers, told = invoke(sagemaker, target=name)
        assert (status, headers["x-amzn-errortype"]) == (400, "ValidationError"), name
        assert f"Failed to {verb} model data" in told["Message"]
    s3.put_object(Bucket=BUCKET, Key="models/bad.tar.gz", Body=archive(value="mended"))
    assert invoke(sagemaker, target="bad.tar.gz")[2]["value"] == "mended"
    assert "missing a target model header" in invoke(sagemaker)[2]["Message"]


def test_a_loaded_model_does_not_change_with_its_key(sagemaker: SageMaker, s3: Any) -> None:
    configure(sagemaker, "many", "MultiModel")
    create(sagemaker, "many")
    s3.put_object(Bucket=BUCKET, Key="models/kept.tar.gz", Body=archive(value="first"))
    assert invoke(sagemaker, target="kept.tar.gz")[2]["value"] == "first"
    s3.put_object(Bucket=BUCKET, Key="models/kept.tar.gz", Body=archive(value="second"))
    assert invoke(sagemaker, target="kept.tar.gz")[2]["value"] == "first"

"""The server as a process: one model, settings, start and end; and the image's own description."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from container.serving_settings import ServingSettings
from tenant_experience.errors import UserError
from tenant_experience.jobs.instance_resources import available_cpus, available_memory
from tests.support.places import ROOT, STATE_MACHINE
from tests.support.serving_process import free_port, serving

_PATIENCE_S = 200  # a limit against hanging, not on speed


def test_one_model_answers_at_invocations(tmp_path: Path, model_folder: Path) -> None:
    shutil.copytree(model_folder, tmp_path / "model")
    with serving(tmp_path, SERVING_WORKERS="2") as (client, process):
        answer = client.post("/invocations", json={"instances": [{"tenant_id": "U1", "features": {}}]})
        assert answer.json()["model_version"] == "r1"
        parameters = client.get("/execution-parameters").json()
        assert parameters["BatchStrategy"] == "MULTI_RECORD"
        assert parameters["MaxPayloadInMB"] == 6
        assert client.get("/models").status_code == 404
        assert client.get("/nowhere").json()["error"]["code"] == "not_found"
        assert client.get("/invocations").json()["error"]["code"] == "method_not_allowed"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=_PATIENCE_S) == 0


def test_a_request_for_another_model_is_refused_at_invocations_too_and_logged(
    tmp_path: Path, model_folder: Path
) -> None:
    shutil.copytree(model_folder, tmp_path / "model")
    digest = hashlib.sha256((model_folder / "model.json").read_bytes()).hexdigest()
    with serving(tmp_path, SERVING_WORKERS="1") as (client, _):
        statuses = [
            client.post(
                "/invocations",
                json={"instances": [{"features": {}}]},
                headers={"X-Amzn-SageMaker-Custom-Attributes": f"model-json-sha256={expected}"},
            ).status_code
            for expected in (digest, "0" * 64)
        ]
        assert statuses == [200, 412]
    (log,) = tmp_path.glob("serve-*.log")
    [line] = [line for line in log.read_text().splitlines() if "but the caller expects" in line]
    assert digest in line
    assert "0" * 64 in line


def test_sigterm_lets_a_request_in_hand_finish(tmp_path: Path, model_folder: Path) -> None:
    """The body arrives slowly; SIGTERM comes in between; the answer comes all the same."""
    shutil.copytree(model_folder, tmp_path / "model")

    with serving(tmp_path, SERVING_WORKERS="1") as (client, process):
        (log,) = tmp_path.glob("serve-*.log")

        def body() -> Iterator[bytes]:
            yield b"1,2,3\n"
            process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + _PATIENCE_S
            while "Handling signal: term" not in log.read_text():
                assert time.monotonic() < deadline, "the server did not notice SIGTERM"
                time.sleep(0.05)
            yield b"1,2,3\n"

        headers = {"content-type": "text/csv", "accept": "text/csv"}
        answer = client.post("/invocations", content=body(), headers=headers)
        assert len(answer.text.splitlines()) == 2
        assert process.wait(timeout=_PATIENCE_S) == 0


def test_without_a_model_the_server_ends_and_says_why(tmp_path: Path) -> None:
    environment = os.environ | {"SAGEMAKER_BASE_DIR": str(tmp_path), "SAGEMAKER_BIND_TO_PORT": str(free_port())}
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(ROOT / "container" / "serve")],
        env=environment | {"SERVING_WORKERS": "1"},
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
    )
    assert done.returncode != 0
    assert "model.ubj is missing" in done.stderr


@pytest.mark.parametrize("value", ["eighty", "0", "-1"])
def test_a_wrong_setting_is_named(value: str) -> None:
    with pytest.raises(UserError, match="SAGEMAKER_BIND_TO_PORT"):
        ServingSettings.from_environment({"SAGEMAKER_BIND_TO_PORT": value})


def test_many_models_are_served_by_one_process() -> None:
    settings = ServingSettings.from_environment({"SAGEMAKER_MULTI_MODEL": "true", "SERVING_WORKERS": "4"})
    assert (settings.multi_model, settings.workers, settings.port) == (True, 1, 8080)


def test_a_plain_process_is_reachable_from_its_own_machine_only() -> None:
    assert ServingSettings.from_environment({"SAGEMAKER_BASE_DIR": "/somewhere"}).host == "127.0.0.1"
    assert ServingSettings.from_environment({}).host == "0.0.0.0"  # noqa: S104


def test_the_containers_quota_counts_not_the_machine(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "memory.max").write_text(f"{512 << 20}\n")
    assert available_cpus(tmp_path) == 1
    assert available_memory(tmp_path) == 512 << 20
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert available_cpus(tmp_path) == len(os.sched_getaffinity(0))
    assert available_memory(tmp_path) > 512 << 20


def test_dockerfile_and_local_image_describe_one_image() -> None:
    dockerfile = (ROOT / "container" / "Dockerfile").read_text()
    image = json.loads((ROOT / "container" / "local_image.json").read_text())
    for label, value in image["labels"].items():
        assert f"{label}={value}" in dockerfile
    for inside, folder in image["mounts"].items():
        assert f"COPY {folder} {inside}" in dockerfile
    assert f"PATH={image['path'][0]}:$PATH" in dockerfile
    for command in ("train", "serve"):
        path = ROOT / "container" / command
        assert os.access(path, os.X_OK)
        assert path.read_text().startswith("#!/usr/bin/env python3\n")


def test_jax_is_in_the_training_image_and_in_no_other() -> None:
    requirements = ROOT / "requirements"
    locks = {name: set(_pins(requirements / f"{name}.txt")) for name in ("container", "training", "spark")}
    added = {pin.partition("==")[0] for pin in locks["training"] - locks["container"]}
    assert locks["container"] < locks["training"]
    assert added == {"jax", "jaxlib", "ml-dtypes", "opt-einsum"}
    layer = _pins(ROOT / "src" / "requirements.txt")
    assert not any(pin.startswith(("jax", "ml-dtypes")) for pin in [*locks["container"], *locks["spark"], *layer])
    dockerfile = (ROOT / "container" / "Dockerfile").read_text()
    assert "FROM application AS training\nCOPY requirements/training.txt" in dockerfile
    assert dockerfile.rstrip().endswith("FROM application")
    images = [json.loads((ROOT / "container" / f"local{kind}_image.json").read_text()) for kind in ("", "_training")]
    assert images[0]["mounts"] == images[1]["mounts"]
    assert "labels" not in images[1]  # so that no endpoint is started from it


def test_training_jobs_alone_run_in_the_training_image() -> None:
    text = STATE_MACHINE.read_text()
    assert text.count('"TrainingImage": "${TrainingImageUri}"') == text.count('"TrainingImage"') == 2
    assert text.count("${TrainingImageUri}") == 2


def _pins(lock: Path) -> list[str]:
    return [line.split()[0] for line in lock.read_text().splitlines() if "==" in line and not line.startswith("#")]


def test_the_server_answers_without_pandas(model_folder: Path) -> None:
    """The image has none. (XGBoost imports it where it finds it, as in a checkout.)"""
    code = """
import sys
sys.modules["pandas"] = None
from collections.abc import Iterator
from pathlib import Path
from container.serving_settings import ServingSettings
from container.server import create_app
settings = ServingSettings("127.0.0.1", 8080, False, 1, 1, 6, 64, Path(sys.argv[1]))
body = {"instances": [{"features": {}}], "explain": True}
sys.exit(create_app(settings).test_client().post("/invocations", json=body).status_code != 200)
"""
    command = [sys.executable, "-c", code, str(model_folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr

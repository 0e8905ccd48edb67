"""Starting, stopping, and what may never be left behind. Each test has a server of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local_aws.tests.server.laptops import PYTHON, ROOT, Laptop, free_port

SLEEPER = """
import subprocess, sys, os
def handler(event, context):
    # A grandchild in a session of its own, as an endpoint's workers are.
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    return [os.getpid(), child.pid]
"""


def started_processes(laptop: Laptop) -> list[int]:
    """A Lambda worker and a process it started."""
    import io
    import zipfile

    trust = {
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]
    }
    role = laptop.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", SLEEPER)
    code = {"ZipFile": archive.getvalue()}
    functions = laptop.client("lambda")
    functions.create_function(FunctionName="f", Runtime="python3.11", Role=role, Handler="app.handler", Code=code)
    pids: list[int] = json.loads(functions.invoke(FunctionName="f")["Payload"].read())
    return pids


def all_gone(pids: list[int], limit_s: float = 15.0) -> bool:
    deadline = time.monotonic() + limit_s
    while any(_runs(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_up_is_repeatable_and_down_keeps_the_state(laptop: Laptop) -> None:
    assert laptop.up("--port", free_port()).returncode == 0
    first = laptop.server()
    laptop.client("s3").create_bucket(Bucket="kept-bucket")
    keys = (laptop.folder / "env").read_text()
    assert (laptop.folder / "env").stat().st_mode & 0o077 == 0
    again = laptop.up()
    assert "Already running" in again.stdout
    assert laptop.server() == first
    assert laptop.status().returncode == 0

    assert laptop.down().stdout == "Stopped.\n"
    assert not (laptop.folder / "server.json").exists()
    assert laptop.status().returncode == 3
    assert laptop.down().stdout == "Nothing was running.\n"

    assert laptop.up().returncode == 0
    assert laptop.server()["port"] == first["port"]
    assert (laptop.folder / "env").read_text() == keys
    assert [bucket["Name"] for bucket in laptop.client("s3").list_buckets()["Buckets"]] == ["kept-bucket"]

    assert laptop.up("--fresh").returncode == 0
    assert laptop.client("s3").list_buckets()["Buckets"] == []


@pytest.mark.slow
def test_nobody_else_may_read_the_state_and_open_files_of_earlier_versions_are_closed(laptop: Laptop) -> None:
    old = laptop.folder / "ministack" / "state" / "old.json"
    old.parent.mkdir(parents=True)
    old.write_text("{}")
    old.chmod(0o644)
    laptop.folder.chmod(0o755)
    before = os.umask(0o022)
    try:
        laptop.up("--port", free_port())
    finally:
        os.umask(before)
    started_processes(laptop)
    laptop.client("kms").create_key()
    laptop.client("s3").create_bucket(Bucket="private-bucket")
    laptop.client("s3").put_object(Bucket="private-bucket", Key="k", Body=b"x")
    laptop.down()
    assert (laptop.folder / "ministack" / "state" / "kms.json").exists()
    found = [laptop.folder, *(path for path in laptop.folder.rglob("*") if not path.is_symlink())]
    assert [str(path) for path in found if path.stat().st_mode & 0o077] == []


def test_a_taken_port_is_said(laptop: Laptop, server: dict[str, Any]) -> None:
    refused = laptop.up("--port", str(server["port"]))
    assert refused.returncode == 1
    assert f"Port {server['port']} is taken" in refused.stderr


def test_servers_that_are_started_at_the_same_moment_take_different_ports(laptop: Laptop, tmp_path: Path) -> None:
    both = [laptop, laptop.beside(tmp_path / "second")]
    try:
        with ThreadPoolExecutor(2) as pool:
            started = list(pool.map(Laptop.up, both))
        assert [each.returncode for each in started] == [0, 0], [each.stderr for each in started]
        assert both[0].server()["port"] != both[1].server()["port"]
    finally:
        both[1].down()


@pytest.mark.slow
def test_down_ends_what_lambdas_started(laptop: Laptop) -> None:
    laptop.up("--port", free_port())
    pids = started_processes(laptop)
    assert laptop.down().returncode == 0
    assert all_gone(pids)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="the kernel's help is Linux's")
@pytest.mark.parametrize("victim", [pytest.param("supervisor", marks=pytest.mark.slow), "server"])
def test_a_killed_server_leaves_no_orphan(laptop: Laptop, victim: str) -> None:
    laptop.up("--port", free_port())
    pids = started_processes(laptop)
    supervisor = laptop.server()["pid"]
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    (server,) = (int(pid) for pid in children)
    os.kill(supervisor if victim == "supervisor" else server, signal.SIGKILL)
    assert all_gone([supervisor, server, *pids])
    assert laptop.status().returncode == 3
    assert laptop.up().returncode == 0


def test_a_missing_private_name_is_named() -> None:
    script = (
        "from ministack.services import sns, stepfunctions; del sns._fanout, stepfunctions._map_runs\n"
        "from local_aws.ministack_patches import patched_names; patched_names.check()"
    )
    done = subprocess.run(  # noqa: S603
        [PYTHON, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0
    for named in ("ministack.services.sns._fanout", "ministack.services.stepfunctions._map_runs", "1.5.33"):
        assert named in done.stderr


def test_every_private_name_touched_is_listed() -> None:
    """What the adapter writes as ``module._name`` stands in its list."""
    import ast

    from local_aws.ministack_patches import patched_names

    listed = {
        f"{module.rpartition('.')[2]}.{name.partition('.')[0]}"
        for module, names in patched_names.NAMES.items()
        for name in names
    }
    alias = {"sfn": "stepfunctions"}
    modules = {module.rpartition(".")[2] for module in patched_names.NAMES}
    touched = set()
    for path in (ROOT / "local_aws/ministack_patches").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr.startswith("_"):
                module = alias.get(node.value.id, node.value.id)
                if module in modules:
                    touched.add(f"{module}.{node.attr}")
    assert touched <= listed, sorted(touched - listed)


def test_nothing_else_touches_private_names() -> None:
    for path in (ROOT / "local_aws").rglob("*.py"):
        if not {"ministack_patches", "tests"} & set(path.parts):
            assert "from ministack" not in path.read_text(), path


def test_keys_that_ministack_takes_for_root_are_refused(client: Callable[..., Any]) -> None:
    from botocore.exceptions import ClientError

    for keys in ("test", "000000000000"):
        with pytest.raises(ClientError):
            client("s3", aws_access_key_id=keys, aws_secret_access_key="test").list_buckets()  # noqa: S106
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client("s3", aws_secret_access_key="wrong").list_buckets()  # noqa: S106
    assert client("sts").get_caller_identity()["Arn"].endswith(":user/local-administrator")

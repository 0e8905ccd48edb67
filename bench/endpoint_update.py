"""Whether an endpoint's update drops a request: clients that never pause, two updates, one of them not healthy.

``.venv/bin/python -m bench.endpoint_update`` starts a server of its own, on a free port and below ``.local/bench``, and
stops it. A third of the time after the start the endpoint is updated to a second version, and two thirds after it to
one whose container ends before it is healthy, which must roll back. Exit code 0 when no request failed.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from bench.server import ROOT, client_maker, start, state_folder

PROGRAM = ROOT / "local_aws/tests/sagemaker/program"
ENDPOINT, BUCKET, ROLE = "bench", "bench", "bench"
_CHANGING = {"Creating", "Updating"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print the counts."""
    parser = argparse.ArgumentParser(prog="python -m bench.endpoint_update", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="(%(default)s)")
    parser.add_argument("--clients", type=int, default=8, help="(%(default)s)")
    options = parser.parse_args(arguments)
    with state_folder("endpoint-update") as folder:
        image = {"name": "program", "interpreter": sys.executable, "mounts": {}, "path": [str(PROGRAM)]}
        (folder / "image.json").write_text(json.dumps(image))
        env = start(folder, "--image", str(folder / "image.json"))
        counts = run(env, seconds=options.seconds, clients=options.clients)
    failed = sum(count for (status, _), count in counts.items() if status != 200)
    for (status, version), count in sorted(counts.items(), key=str):
        print(f"{status} version {version}: {count}")  # noqa: T201 a benchmark's output
    print(f"{sum(counts.values())} requests by {options.clients} clients in {options.seconds:.0f} s: {failed} failed")  # noqa: T201
    return 1 if failed else 0


def run(env: dict[str, str], *, seconds: float, clients: int) -> Counter[tuple[Any, Any]]:
    """How often each (status or error, version that answered) was seen."""
    client = client_maker(env, connections=clients)
    sagemaker, runtime = client("sagemaker"), client("sagemaker-runtime")
    prepare(sagemaker, role_with_a_model(client))
    counts: Counter[tuple[Any, Any]] = Counter()
    lock, stop = threading.Lock(), threading.Event()

    def ask() -> None:
        seen: tuple[Any, Any]
        while not stop.is_set():
            try:
                answer = runtime.invoke_endpoint(EndpointName=ENDPOINT, Body=b"sleep:0.01", ContentType="text/csv")
                seen = (200, json.loads(answer["Body"].read())["version"])
            except (ClientError, BotoCoreError) as error:
                seen = (str(error)[:200], None)
            with lock:
                counts[seen] += 1

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        for config, expected in (("two", "two"), ("sick", "two")):
            time.sleep(seconds / 3)
            sagemaker.update_endpoint(EndpointName=ENDPOINT, EndpointConfigName=config)
            found = settled(sagemaker)
            if (found["EndpointStatus"], found["EndpointConfigName"]) != ("InService", expected):
                raise SystemExit(f"after the update to {config}: {found}")
        time.sleep(seconds / 3)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    return counts


def role_with_a_model(client: Any) -> str:
    """A role that may read the bucket, and in the bucket the model."""
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "sagemaker.amazonaws.com"}}
    allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    iam, s3 = client("iam"), client("s3")
    role = iam.create_role(
        RoleName=ROLE, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=ROLE, PolicyName="p", PolicyDocument=policy)
    archive = io.BytesIO()
    tarfile.open(fileobj=archive, mode="w:gz").close()
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="model.tar.gz", Body=archive.getvalue())
    return str(role["Arn"])


def prepare(sagemaker: Any, role: str) -> None:
    """Three versions, and an endpoint that serves the first."""
    for name, environment in (("one", {"VERSION": "1"}), ("two", {"VERSION": "2"}), ("sick", {"DIE": "1"})):
        container = {"Image": "program", "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz", "Environment": environment}
        sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role)
        variant = {"VariantName": "all", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="one")
    settled(sagemaker)


def settled(sagemaker: Any) -> dict[str, Any]:
    """The endpoint once it changes no more."""
    while True:
        found: dict[str, Any] = sagemaker.describe_endpoint(EndpointName=ENDPOINT)
        if found["EndpointStatus"] not in _CHANGING:
            return found
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())

"""The application's own programs on a laptop's AWS: what ``local_aws/tests`` starts, with the job scripts mounted."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from local_aws.tests.sagemaker.fixtures import endpoint_url, image, make, s3
from local_aws.tests.server.fixtures import bucket, client, env, machines, role_arn, server, state_folder

__all__ = [
    "bucket",
    "client",
    "endpoint_url",
    "env",
    "image",
    "machines",
    "make",
    "role_arn",
    "s3",
    "server",
    "state_folder",
]

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def image_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This interpreter, with the project's packages and its scripts."""
    mounts = {"/opt/scripts": str(ROOT / "sagemaker_scripts")}
    path = tmp_path_factory.mktemp("image") / "image.json"
    path.write_text(json.dumps({"name": "test-image", "interpreter": sys.executable, "mounts": mounts}))
    return path

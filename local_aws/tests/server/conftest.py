"""The fixtures of this folder, which other folders import too."""

from local_aws.tests.server.fixtures import (
    bucket,
    client,
    env,
    function,
    image_file,
    laptop,
    machines,
    role_arn,
    server,
    state_folder,
)

__all__ = [
    "bucket",
    "client",
    "env",
    "function",
    "image_file",
    "laptop",
    "machines",
    "role_arn",
    "server",
    "state_folder",
]

"""Step Functions as AWS runs it. MiniStack evaluates the states, and these modules add what it leaves out.

``walk`` runs states, ``task`` runs one Task, ``distributed_map`` runs the children of a map, and ``running`` ends what
must end early. ``api`` answers calls, and ``rights`` checks the machine's role.
"""

from __future__ import annotations

from local_aws.ministack_patches.states import (
    api,
    aws_sdk,
    definition,
    distributed_map,
    parallel,
    restart,
    retry,
    rights,
    sagemaker,
    status_events,
    walk,
)

__all__ = ["install", "sagemaker"]


def install() -> None:
    """Install every patch."""
    for module in (
        walk,
        retry,
        parallel,
        distributed_map,
        status_events,
        aws_sdk,
        definition,
        rights,
        restart,
        api,
    ):
        module.install()

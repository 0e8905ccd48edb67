"""Step Functions as AWS runs it: what MiniStack leaves out, on top of MiniStack's own evaluation of states.

``walk`` runs states, ``task`` one Task, ``distributed_map`` the children; ``running`` knows what must end early.
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
    """Put every mend in its place."""
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

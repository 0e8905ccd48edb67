"""What this package changes in MiniStack: the only place that uses MiniStack's private names.

``patched_names.py`` lists the names and checks them when the server starts. The other modules read the functions that
they wrap when they are imported, so they are imported after this check. Each folder belongs to one service.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_aws.ministack_patches import patched_names

if TYPE_CHECKING:
    from local_aws.ministack_patches.saving import Application, Saver
    from local_aws.ministack_patches.services import Handler
    from local_aws.ministack_patches.sns.email_subscriptions import Postman


def install(postman: Postman) -> Callable[..., Awaitable[None]]:
    """Check the names, install every patch, and return MiniStack's ASGI application.

    Raises:
        LocalAwsError: this MiniStack lacks a name that the patches use.
    """
    patched_names.check()
    from ministack import app

    from local_aws.ministack_patches import states
    from local_aws.ministack_patches.api_gateway import rest_api
    from local_aws.ministack_patches.athena import queries
    from local_aws.ministack_patches.cloudwatch import alarms, dimensions, embedded_metrics
    from local_aws.ministack_patches.dynamodb import expiry, table_policies, template_tables
    from local_aws.ministack_patches.events import deliveries
    from local_aws.ministack_patches.iam import callers, permissions
    from local_aws.ministack_patches.lambda_ import concurrency as lambda_concurrency
    from local_aws.ministack_patches.lambda_ import errors as lambda_errors
    from local_aws.ministack_patches.lambda_ import queue_mappings
    from local_aws.ministack_patches.lambda_ import sandbox as lambda_sandbox
    from local_aws.ministack_patches.s3 import (
        bucket_deletion,
        deleted_objects,
        large_objects,
        large_uploads,
        object_events,
        template_locks,
    )
    from local_aws.ministack_patches.scheduler import firing, schedules
    from local_aws.ministack_patches.sns import email_subscriptions
    from local_aws.ministack_patches.sqs import move_tasks

    callers.install()
    permissions.install()
    bucket_deletion.install()
    deleted_objects.install()
    large_objects.install()
    large_uploads.install()
    object_events.install()
    template_locks.install()
    dimensions.install()
    embedded_metrics.install()
    alarms.install()
    queries.install()
    template_tables.install()
    table_policies.install()
    expiry.install()
    deliveries.install()
    lambda_concurrency.install()
    lambda_errors.install()
    lambda_sandbox.install()
    move_tasks.install()
    queue_mappings.install()
    rest_api.install()
    schedules.install()
    firing.install()
    states.install()
    email_subscriptions.install(postman)
    application: Callable[..., Awaitable[None]] = app.app
    return application


def register_sagemaker(handler: Handler, call: Callable[[str, dict[str, Any]], dict[str, Any]]) -> None:
    """Serve SageMaker over HTTP by ``handler``, and in state machines by ``call`` (see ``states.sagemaker``)."""
    from local_aws.ministack_patches import services
    from local_aws.ministack_patches.states import sagemaker

    services.register("sagemaker", "SageMaker.", handler)
    sagemaker.install(call)


def keep(application: Application, folder: Path) -> tuple[Application, Saver]:
    """Save state below ``folder`` while it changes, and log what roles were allowed.

    Returns:
        The application to serve, and the saver: start it once the server answers, and stop it before the server ends.
    """
    from local_aws.ministack_patches import saving
    from local_aws.ministack_patches.cloudwatch import alarms
    from local_aws.ministack_patches.dynamodb import expiry
    from local_aws.ministack_patches.iam import permissions
    from local_aws.ministack_patches.iam.action_log import LOG
    from local_aws.ministack_patches.scheduler import firing
    from local_aws.ministack_patches.states import restart, running

    LOG.open(folder / "iam_actions.jsonl")
    saver = saving.Saver(
        folder / "ministack" / "state", {folder / "iam_roles.json": permissions.roles}, restart.announce
    )
    running.listen(saver.note_change)
    alarms.listen(saver.note_change)
    expiry.listen(saver.note_change)
    firing.listen(saver.note_change)
    return saving.noting_changes(application, saver.note_change), saver


def stop_workers() -> None:
    """End every warm Lambda worker and remove its unpacked code."""
    from ministack.core import lambda_runtime

    lambda_runtime.reset()

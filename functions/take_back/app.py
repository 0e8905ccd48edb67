"""TakeBack: before the earlier models are tested, and when they are, so that they answer again.

It checks their archives against the registry, moves the release pointer by one conditional write, and tells the
registry.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from aws_lambda_powertools import Logger

from tenant_experience import data_layout
from tenant_experience.aws import (
    approvals,
    audit,
    client_errors,
    decisions,
    model_archives,
    model_registry,
    objects,
    release_table,
    take_backs,
)
from tenant_experience.environment import setting
from tenant_experience.errors import UserError
from tenant_experience.log_redaction import redacted_json
from tenant_experience.release import take_back
from tenant_experience.release.approval import Approval
from tenant_experience.release.release import LiveRelease, PublishedModel
from tenant_experience.release.take_back import TakeBack

_MOST_NAMED = 5
logger = Logger(service="take_back", json_serializer=redacted_json)


class ReleaseSupersededError(UserError):
    """Another release is live meanwhile. The state machine ends in a state of this name."""


@client_errors.named
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Prepares, or takes back.

    Args:
        event: step (``prepare`` or ``move``) and run; to prepare, decision and decided_at; to move, began (the
            execution's start).

    Raises:
        ReleaseSupersededError: when another release answers in one of the partitions than was shown.
        ModelDiffersError: when an archive is not the one that was registered.
        PlatformError: ``pointer_moved`` or ``not_registered``.
    """
    run = event["run"]
    if event["step"] == "prepare":
        request = decisions.receive(run, event["decision"], event.get("decided_at", ""))
        return _prepare(request) if event["decision"] == "approved" else {"models": [], "features": ""}
    request, _ = approvals.read_approval(run)
    return _move(request, event["began"])


def _approved(request: Approval) -> tuple[TakeBack, LiveRelease]:
    """The approved part of what was asked, and the pointer as it was then."""
    asked = request.summary.take_back
    assert asked is not None  # noqa: S101 - a request of this kind
    asked = asked.only([slug for slug in asked.changes if request.approves(slug)])
    return asked, take_backs.state_after(asked.to, asked.use_case)


def _prepare(request: Approval) -> dict[str, Any]:
    """Checks the archives, and says which models are to be tested and whose features are to be served."""
    asked, then = _approved(request)
    models = [PublishedModel(slug, change.back) for slug, change in asked.changes.items() if change.back]
    for model in models:
        registered = model_registry.registered_digest(_group(asked, model.slug), model.version)
        if registered != then.digests.get(model.slug, ""):
            raise UserError(
                f"the registry has another model of release {model.version} for {model.slug} than was published then; "
                "nothing was taken back",
                code="model_differs",
            )
        if registered:
            model_archives.check_registered(PublishedModel(model.slug, model.version, registered))
    if asked.features:
        key = data_layout.decided(request.approval_id) + data_layout.REJECTED_FILE
        objects.write_json(setting("DATA_BUCKET"), key, _left_alone(asked))
    return {
        "models": [{"slug": model.slug, "version": model.version} for model in models],
        "features": asked.features,
    }


def _left_alone(asked: TakeBack) -> list[str]:
    """The partitions of the features that are served again whose records stay as they are."""
    if not asked.features:
        return []
    key = data_layout.features(asked.features) + data_layout.PARTITIONS_FILE
    shards = objects.read_json(setting("DATA_BUCKET"), key)
    return sorted({row["slug"] for shard in shards for row in shard["partitions"]} - asked.changes.keys())


def _move(request: Approval, began: str) -> dict[str, Any]:
    run = request.approval_id
    asked, then = _approved(request)
    move = partial(take_back.put_back, asked=asked, then=then, run=run, began=began, without=_left_alone(asked))
    try:
        live = release_table.move_live(asked.use_case, run, move)
    except UserError as error:
        if error.code == "superseded":
            raise ReleaseSupersededError(error.message, code=error.code) from error
        raise
    for slug, change in asked.changes.items():
        model_registry.put_back(_group(asked, slug), change.back, reason=f"taken back, {request.verdict(slug)}")
    described = {slug: {"now": change.back, "before": change.now} for slug, change in asked.changes.items()}
    audit.append(
        run,
        "taken_back",
        use_case=asked.use_case,
        taken_back=asked.release,
        to=asked.to,
        features=asked.features,
        models={slug: {**each, "digest": live.digests.get(slug, "")} for slug, each in described.items()},
    )
    logger.info("taken back", extra={"release": run, "models": len(described), "revision": live.revision})
    before = ", ".join(sorted({change.now for change in asked.changes.values() if change.now})[:_MOST_NAMED])
    return {"run": run, "models": len(described), "live": live.release, "previous": before}


def _group(asked: TakeBack, slug: str) -> str:
    return data_layout.model_package_group(setting("PROJECT"), setting("USE_CASE"), asked.use_case, slug)

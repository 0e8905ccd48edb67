"""Whether a release searches for hyperparameters, and whether the trainer accepts what the search may find."""

from __future__ import annotations

from collections.abc import Mapping

from tenant_experience.data_layout import MANIFEST
from tenant_experience.errors import UserError
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import trainer_named
from tenant_experience.use_case.labels import Labels
from tenant_experience.use_case.manifest import Manifest
from tenant_experience.use_case.schema import USE_CASE_FILE, UseCase
from tenant_experience.use_case.tuning import Tuning


def wanted_tuning(use_case: UseCase, manifest: Manifest) -> Tuning | None:
    """The search to make, or None. Hyperparameters that the manifest sets are not searched.

    Raises:
        UserError: ``nothing_to_tune``: no range is left.
    """
    if not (use_case.tuning.enabled if manifest.tuning is None else manifest.tuning):
        return None
    ranges = {name: each for name, each in use_case.tuning.ranges.items() if name not in manifest.hyperparameters}
    if not ranges:
        raise UserError(
            f"tuning is asked for, but there is nothing to search: {USE_CASE_FILE} has the tuning.ranges "
            f"{', '.join(use_case.tuning.ranges) or '(none)'}, and what {MANIFEST} sets is not searched",
            code="nothing_to_tune",
        )
    return use_case.tuning.model_copy(update={"ranges": ranges})


def check_hyperparameters(
    trainer: str, hyperparameters: Mapping[str, str], tuning: Tuning | None = None, labels: Labels | None = None
) -> None:
    """Refuses what the trainer would not accept, before any training is paid for.

    Args:
        trainer: its name.
        hyperparameters: of every training.
        tuning: the search whose ranges are to be accepted, too.
        labels: what the model predicts; None where that makes no difference.

    Raises:
        UserError: ``unknown_hyperparameter`` or ``bad_hyperparameter``, the message names it, and what is allowed.
    """
    for end in (0, 1):
        ends = {name: each.ends[end] for name, each in tuning.ranges.items()} if tuning else {}
        settings = parse_settings(trainer, trainer_named(trainer), {**hyperparameters, **ends})
        if settings.distribution and labels is not None and labels.horizon_days is None:
            raise UserError(
                f"hyperparameters: objective={hyperparameters.get('objective')!r} predicts the days until an event, "
                f"and the labels of {USE_CASE_FILE} are not such days: leave it out, or use labels.from: events "
                "without classes",
                code="bad_hyperparameter",
            )

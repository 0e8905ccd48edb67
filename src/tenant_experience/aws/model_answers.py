"""Asks the models of the live release, each once about all that is asked of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tenant_experience.api import prediction
from tenant_experience.api.prediction import ModelPrediction, ServedTenant
from tenant_experience.aws import model_endpoint
from tenant_experience.errors import PlatformError
from tenant_experience.release.release import LiveRelease, PublishedModel

_MODELS_AT_ONCE = 10  # the gateway waits 29 s, and asking models one after another could take longer


def ask_models(
    live: LiveRelease, tenants: Sequence[ServedTenant], *, explain: bool
) -> Iterator[tuple[Sequence[ServedTenant], Mapping[str, ModelPrediction], PlatformError | None]]:
    """Asks all models concerned in parallel. For each: its tenants, its answers by tenant id, and why it gave none."""
    yield [tenant for tenant in tenants if not tenant.may_be_predicted], {}, None
    groups = prediction.by_model(live, [tenant for tenant in tenants if tenant.may_be_predicted])
    with ThreadPoolExecutor(max_workers=max(1, min(len(groups), _MODELS_AT_ONCE))) as pool:
        asked = [(group, pool.submit(_of_group, model, group, explain)) for model, group in groups.items()]
        for group, future in asked:
            try:
                yield group, future.result(), None
            except PlatformError as error:
                yield group, {}, error


def _of_group(model: PublishedModel | None, group: Sequence[ServedTenant], explain: bool) -> dict[str, ModelPrediction]:
    if model is None:
        raise PlatformError(
            f"partition {group[0].partition_slug} has no live model, and there is no global one", code="no_live_model"
        )
    answers = ask_model(model, [tenant.instance for tenant in group], explain=explain)
    return {tenant.tenant_id: answer for tenant, answer in zip(group, answers, strict=True)}


def ask_model(
    model: PublishedModel, instances: Sequence[Mapping[str, Any]], *, explain: bool = False
) -> list[ModelPrediction]:
    """What one model answers about instances, in their order.

    Raises:
        PlatformError: ``model_unavailable`` or ``model_differs``.
    """
    answer = model_endpoint.predict(model.key, instances, digest=model.digest, explain=explain)
    return [
        ModelPrediction.read(row, model_version=answer.model_version, scale=answer.scale, validation=answer.validation)
        for row in answer.predictions
    ]

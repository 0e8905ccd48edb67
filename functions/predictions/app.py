"""GET /tenants/{tenant_id}/prediction and POST /predictions: how tenants fare, how sure that is, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response

from tenant_experience import data_layout
from tenant_experience.api import prediction
from tenant_experience.api import problem as api_problem
from tenant_experience.api.prediction import ServedTenant
from tenant_experience.aws import model_endpoint, release_table, served_features
from tenant_experience.environment import setting, whole_number
from tenant_experience.errors import PlatformError, UserError
from tenant_experience.release.release import LiveRelease
from tenant_experience.use_case import served as served_use_case

logger = Logger(service="predictions")
app = api_problem.api(logger)

MAX_TENANTS = 100
_MODELS_AT_ONCE = 10  # the gateway waits 29 s: models one after another could take longer
MAX_BODY = 200_000  # characters: a hundred of the longest ids fit, even with every character as \ud83c\udfe0


@app.get("/tenants/<tenant_id>/prediction")
def predict_one(tenant_id: str) -> Response[str]:
    """One tenant, with reasons; 404 when never seen."""
    wanted = api_problem.tenant_id_of_path(tenant_id)
    found = _predict([wanted], explain=True)
    if wanted not in found:
        raise UserError("this tenant was never seen", code="unknown_tenant")
    row = found[wanted]
    if "code" in row:
        raise PlatformError(row["detail"], code=row["code"])
    return api_problem.answer(row)


@app.post("/predictions")
def predict_many() -> Response[str]:
    """Up to 100 tenants; each id has its own result, and a bad one does not fail the rest."""
    results: dict[str, dict[str, Any]] = {}
    wanted = []
    for text in _tenant_ids(app.current_event.decoded_body):
        try:
            wanted.append(api_problem.tenant_id(text))
        except UserError as error:
            results[text] = {"tenant_id": text, "code": error.code, "detail": error.message}
    found = _predict(wanted, explain=False) if wanted else {}
    unknown = {"code": "unknown_tenant", "detail": "this tenant was never seen"}
    results |= {text: found.get(text, {"tenant_id": text, **unknown}) for text in wanted}
    return api_problem.answer({"predictions": list(results.values())})


def _tenant_ids(body: str | None) -> list[str]:
    """The ids of a request, each once, in order.

    Raises:
        UserError: ``malformed_request``.
    """
    if len(body or "") > MAX_BODY:
        raise UserError(f"the body is longer than {MAX_BODY} characters", code="malformed_request")
    try:
        document = json.loads(body or "")
    except (ValueError, RecursionError) as error:
        raise UserError(f"the body is not JSON: {error}", code="malformed_request") from error
    ids = document.get("tenant_ids") if isinstance(document, dict) else None
    if not isinstance(ids, list) or not ids or not all(isinstance(text, str) for text in ids):
        raise UserError('send {"tenant_ids": ["...", ...]}', code="malformed_request")
    unique = list(dict.fromkeys(ids))
    if len(unique) > MAX_TENANTS:
        raise UserError(f"{len(unique)} tenants: at most {MAX_TENANTS} at once", code="malformed_request")
    return unique


def _predict(tenant_ids: Sequence[str], *, explain: bool) -> dict[str, dict[str, Any]]:
    """Tenant id -> answer, or problem, for the tenants that are known.

    Raises:
        PlatformError: ``no_live_model`` before the first release, ``features_unavailable``, ``use_case_unavailable``.
    """
    use_case = served_use_case.read(setting("USE_CASE"))
    live = release_table.read_live(setting("USE_CASE"))
    if live is None:
        raise PlatformError("no release has been published yet", code="no_live_model")
    tenants = served_features.read_tenants(tenant_ids, use_case)
    now, stale_after = datetime.now(UTC), timedelta(days=whole_number("STALE_AFTER_DAYS"))
    answers: dict[str, dict[str, Any]] = {}
    for group, rows, problem in _ask_models(live, list(tenants.values()), explain=explain):
        for tenant in group:
            answers[tenant.tenant_id] = (
                {"tenant_id": tenant.tenant_id, "code": problem.code, "detail": api_problem.UNAVAILABLE}
                if problem
                else prediction.describe_prediction(
                    tenant, rows.get(tenant.tenant_id), use_case, now=now, stale_after=stale_after
                )
            )
    return answers


def _ask_models(
    live: LiveRelease, tenants: Sequence[ServedTenant], *, explain: bool
) -> Iterator[tuple[Sequence[ServedTenant], Mapping[str, Mapping[str, Any]], PlatformError | None]]:
    """Ask every model concerned, side by side: its tenants, its answers by tenant id, and why there are none."""
    yield [tenant for tenant in tenants if not tenant.may_be_predicted], {}, None
    groups = prediction.by_model(live, [tenant for tenant in tenants if tenant.may_be_predicted])
    with ThreadPoolExecutor(max_workers=max(1, min(len(groups), _MODELS_AT_ONCE))) as pool:
        asked = [(group, pool.submit(_ask, model, group, explain)) for model, group in groups.items()]
        for group, future in asked:
            try:
                yield group, future.result(), None
            except PlatformError as error:
                logger.warning("model unavailable", extra={"code": error.code, "cause": error.message})
                yield group, {}, error


def _ask(model: tuple[str, str] | None, group: Sequence[ServedTenant], explain: bool) -> dict[str, Mapping[str, Any]]:
    if model is None:
        raise PlatformError(f"no model answers for partition {group[0].partition_slug}", code="no_live_model")
    key = data_layout.model_archive(*model)
    answer = model_endpoint.predict(key, [tenant.instance for tenant in group], explain=explain)
    about = {"model_version": answer["model_version"], "scale": answer["scale"]}
    return {row["tenant_id"]: {**about, "prediction": row} for row in answer["predictions"]}


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answer an API Gateway proxy request."""
    return app.resolve(dict(event), context)

"""GET .../prediction and POST .../predictions: how tenants or other records fare, how sure that is, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response

from tenant_experience.api import http, prediction
from tenant_experience.api import problem as api_problem
from tenant_experience.api.route_family import RECORD_ROUTES, TENANT_ROUTES, RouteFamily
from tenant_experience.aws import model_answers, release_table, served_features
from tenant_experience.environment import setting, whole_number
from tenant_experience.errors import PlatformError, UserError
from tenant_experience.json_document import parse_json
from tenant_experience.log_redaction import redacted_json
from tenant_experience.tenant_id import tenant_id_of
from tenant_experience.use_case import files as use_case_files
from tenant_experience.use_case import served as served_use_case
from tenant_experience.use_case.served import ServedUseCase

logger = Logger(service="predictions", json_serializer=redacted_json)
METHODS = {
    "/tenants/{tenant_id}/prediction": ("GET",),
    "/predictions": ("POST",),
    "/use-cases": ("GET",),
    "/use-cases/{name}/records/{record_id}/prediction": ("GET",),
    "/use-cases/{name}/predictions": ("POST",),
}
app = api_problem.api(logger, METHODS)

MAX_IDS = 100
MAX_BODY = 200_000  # characters: a hundred of the longest ids fit, even with every character as \ud83c\udfe0

Answer = dict[str, Any]


@app.get("/tenants/<tenant_id>/prediction")
def predict_tenant(tenant_id: str) -> Response[str]:
    """One tenant of the stack's own use case."""
    return _predict_one(tenant_id, served_use_case.read(setting("USE_CASE")), TENANT_ROUTES)


@app.post("/predictions")
def predict_tenants() -> Response[str]:
    """Up to 100 tenants of the stack's own use case."""
    return _predict_many(served_use_case.read(setting("USE_CASE")), TENANT_ROUTES)


@app.get("/use-cases")
def list_use_cases() -> Response[str]:
    """The use cases that have a live release, by name."""
    live = {name: release_table.read_live(name) for name in use_case_files.names()}
    rows = [prediction.describe_use_case(served_use_case.read(name), found) for name, found in live.items() if found]
    return api_problem.answer({"use_cases": rows})


@app.get("/use-cases/<name>/records/<record_id>/prediction")
def predict_record(name: str, record_id: str) -> Response[str]:
    """One record of any use case."""
    return _predict_one(record_id, api_problem.use_case_of_path(name), RECORD_ROUTES)


@app.post("/use-cases/<name>/predictions")
def predict_records(name: str) -> Response[str]:
    """Up to 100 records of any use case."""
    return _predict_many(api_problem.use_case_of_path(name), RECORD_ROUTES)


def _predict_one(asked: str, use_case: ServedUseCase, routes: RouteFamily) -> Response[str]:
    """One id, with reasons; 404 for one without features."""
    wanted = api_problem.id_of_path(asked, use_case.record_id_case, routes)
    found = _predict([wanted], use_case, routes, explain=True)
    if wanted not in found:
        raise UserError(prediction.no_features(use_case), code=routes.unknown)
    answer = found[wanted]
    if isinstance(answer, PlatformError):
        raise answer
    return api_problem.answer(answer)


def _predict_many(use_case: ServedUseCase, routes: RouteFamily) -> Response[str]:
    """Up to 100 ids, each with its own row, in the order asked; a bad id does not fail the others.

    Raises:
        PlatformError: no well-formed id could be answered, because of us: the caller should ask again.
    """
    asked = _asked(api_problem.request_text(app.current_event.raw_event, MAX_BODY), use_case, routes)
    meant = [tenant_id_of(item, use_case.record_id_case) for item in asked if isinstance(item, str)]
    wanted = list(dict.fromkeys(item for item in meant if item is not None))
    found = _predict(wanted, use_case, routes, explain=False) if wanted else {}
    faults = [answer for answer in found.values() if isinstance(answer, PlatformError)]
    if wanted and len(faults) == len(wanted):
        raise faults[0]
    return api_problem.answer({"predictions": [_row(item, found, use_case, routes) for item in asked]})


def _row(
    asked: object, found: Mapping[str, Answer | PlatformError], use_case: ServedUseCase, routes: RouteFamily
) -> Answer:
    """One row of ``POST .../predictions``, for whatever stands among the ids."""
    try:
        wanted = api_problem.asked_id(asked, use_case.record_id_case, routes)
    except UserError as error:
        # Only what can be an id, or a number that was meant as one, is repeated: the rows have the order of the ids.
        shown = asked if isinstance(asked, str | int) and not isinstance(asked, bool) else None
        return prediction.describe_no_answer(shown, routes=routes, code=error.code, detail=error.message)
    answer = found.get(wanted)
    if answer is None:
        return prediction.describe_no_answer(
            wanted, routes=routes, code=routes.unknown, detail=prediction.no_features(use_case)
        )
    if isinstance(answer, PlatformError):
        detail = api_problem.unavailable_detail(answer)
        return prediction.describe_no_answer(wanted, routes=routes, code=answer.code, detail=detail)
    return answer


def _asked(body: str, use_case: ServedUseCase, routes: RouteFamily) -> list[Any]:
    """What stands among the ids of a request, in order, repetitions included.

    Raises:
        UserError: ``malformed_request``.
    """
    try:
        document = parse_json(body)
    except ValueError as error:
        raise UserError(f"the body is not JSON: {error}", code="malformed_request") from error
    ids = document.get(routes.ids) if isinstance(document, dict) else None
    if not isinstance(ids, list) or not ids:
        raise UserError(f'the body must be {{"{routes.ids}": ["...", ...]}}', code="malformed_request")
    if len(ids) > MAX_IDS:
        raise UserError(
            f"{len(ids)} {use_case.words.records} are too many; send at most {MAX_IDS} at a time",
            code="malformed_request",
        )
    return ids


def _predict(
    ids: Sequence[str], use_case: ServedUseCase, routes: RouteFamily, *, explain: bool
) -> dict[str, Answer | PlatformError]:
    """Id -> answer, or why its model gave none, for the ids that have features.

    Raises:
        PlatformError: ``no_live_model`` before the first release, ``features_unavailable``.
    """
    live = release_table.read_live(use_case.name)
    if live is None:
        raise PlatformError("no release has been published yet", code="no_live_model")
    tenants = served_features.read_tenants(ids, use_case)
    now, stale_after = datetime.now(UTC), timedelta(days=whole_number("STALE_AFTER_DAYS"))
    answers: dict[str, Answer | PlatformError] = {}
    for group, found, problem in model_answers.ask_models(live, list(tenants.values()), explain=explain):
        if problem is not None:
            logger.warning("model unavailable", extra={"code": problem.code, "cause": problem.message})
        for tenant in group:
            answers[tenant.tenant_id] = problem or prediction.describe_prediction(
                tenant, found.get(tenant.tenant_id), use_case, routes=routes, now=now, stale_after=stale_after
            )
    return answers


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answers an API Gateway proxy request."""
    return http.resolve(app, event, context, METHODS)

"""GET .../features: what is known about one tenant, or one record of any use case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response

from tenant_experience.api import http, prediction
from tenant_experience.api import problem as api_problem
from tenant_experience.api.route_family import RECORD_ROUTES, TENANT_ROUTES, RouteFamily
from tenant_experience.aws import served_features
from tenant_experience.environment import setting
from tenant_experience.errors import UserError
from tenant_experience.log_redaction import redacted_json
from tenant_experience.use_case import served as served_use_case
from tenant_experience.use_case.served import ServedUseCase

logger = Logger(service="features", json_serializer=redacted_json)
METHODS = {
    "/tenants/{tenant_id}/features": ("GET",),
    "/use-cases/{name}/records/{record_id}/features": ("GET",),
}
app = api_problem.api(logger, METHODS)


@app.get("/tenants/<tenant_id>/features")
def tenant(tenant_id: str) -> Response[str]:
    """The features of a tenant of the stack's own use case."""
    return _answer(tenant_id, served_use_case.read(setting("USE_CASE")), TENANT_ROUTES)


@app.get("/use-cases/<name>/records/<record_id>/features")
def record(name: str, record_id: str) -> Response[str]:
    """The features of a record of any use case."""
    return _answer(record_id, api_problem.use_case_of_path(name), RECORD_ROUTES)


def _answer(asked: str, use_case: ServedUseCase, routes: RouteFamily) -> Response[str]:
    """The features as of the last ingestion; 404 for an id without features."""
    wanted = api_problem.id_of_path(asked, use_case.record_id_case, routes)
    known = served_features.read_tenants([wanted], use_case)
    if wanted not in known:
        raise UserError(prediction.no_features(use_case), code=routes.unknown)
    return api_problem.answer(prediction.describe_features(known[wanted], use_case, routes=routes))


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answers an API Gateway proxy request."""
    return http.resolve(app, event, context, METHODS)

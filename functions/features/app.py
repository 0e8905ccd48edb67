"""GET /tenants/{tenant_id}/features: what is known about one tenant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response

from tenant_experience.api import http, prediction
from tenant_experience.api import problem as api_problem
from tenant_experience.aws import served_features
from tenant_experience.environment import setting
from tenant_experience.errors import UserError
from tenant_experience.log_redaction import redacted_json
from tenant_experience.use_case import served as served_use_case

logger = Logger(service="features", json_serializer=redacted_json)
METHODS = {"/tenants/{tenant_id}/features": ("GET",)}
app = api_problem.api(logger, METHODS)


@app.get("/tenants/<tenant_id>/features")
def features(tenant_id: str) -> Response[str]:
    """The tenant's features as of the last ingestion; 404 for a tenant without features."""
    use_case = served_use_case.read(setting("USE_CASE"))
    wanted = api_problem.tenant_id_of_path(tenant_id, use_case.record_id_case)
    known = served_features.read_tenants([wanted], use_case)
    if wanted not in known:
        raise UserError(prediction.no_features(use_case), code="unknown_tenant")
    return api_problem.answer(prediction.describe_features(known[wanted], use_case))


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answers an API Gateway proxy request."""
    return http.resolve(app, event, context, METHODS)

"""Where the demo asks for a use case's records, and whom it shows in full."""

from __future__ import annotations

import pytest

from operations.api_client import Routes
from tenant_experience.api.route_family import RECORD_ROUTES, TENANT_ROUTES


@pytest.mark.parametrize(
    ("use_case", "record_id", "path", "many", "family"),
    [
        ("tenant_experience", "T 1", "/tenants/T%201/features", "/predictions", TENANT_ROUTES),
        (
            "telecom_churn",
            "Dim1 OH 408 #7",
            "/use-cases/telecom_churn/records/Dim1%20OH%20408%20%237/features",
            "/use-cases/telecom_churn/predictions",
            RECORD_ROUTES,
        ),
    ],
)
def test_the_stacks_own_use_case_has_the_tenants_routes(
    use_case: str, record_id: str, path: str, many: str, family: object
) -> None:
    routes = Routes.of(use_case)
    assert (routes.path(record_id, "features"), routes.predictions, routes.family) == (path, many, family)

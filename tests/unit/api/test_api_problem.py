"""Tenant ids as clients write them."""

from __future__ import annotations

import pytest

from tenant_experience.api import problem as api_problem
from tenant_experience.api.route_family import TENANT_ROUTES
from tenant_experience.errors import UserError


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("U00000080", "U00000080"), ("a%40b", "a@b"), ("a@b", "a@b"), ("a%3Ab%2Bc", "a:b+c"), ("a+b", "a+b")),
        *(
            ("Caller%202403", "Caller 2403"),
            ("%C3%A9", "é"),
            ("12%20A%20ST%2C%20BRONX", "12 A ST, BRONX"),
            ("-a", "-a"),
        ),
    ],
)
def test_an_id_of_a_path_may_be_percent_encoded(written: str, meant: str) -> None:
    assert api_problem.id_of_path(written, "sensitive", TENANT_ROUTES) == meant


@pytest.mark.parametrize(
    "written", ["", "%20", "a%0A", "a\n", "a%2Fb", ".%2e", "a%5Cb", "a" * 129, "%C3", "%E2%80%A8x"]
)
def test_a_malformed_id_of_a_path_is_refused_by_name(written: str) -> None:
    with pytest.raises(UserError, match="malformed_tenant_id"):
        api_problem.id_of_path(written, "sensitive", TENANT_ROUTES)


def test_an_id_of_a_body_is_taken_as_it_is() -> None:
    assert api_problem.asked_id("a%40b c", "sensitive", TENANT_ROUTES) == "a%40b c"


@pytest.mark.parametrize("text", ["a\n", "a/b", "\ud800"])
def test_a_malformed_id_of_a_body_is_refused_by_name(text: str) -> None:
    with pytest.raises(UserError, match="malformed_tenant_id"):
        api_problem.asked_id(text, "sensitive", TENANT_ROUTES)

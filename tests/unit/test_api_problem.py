"""Tenant ids as clients write them."""

from __future__ import annotations

import pytest

from tenant_experience import api_problem
from tenant_experience.errors import UserError


@pytest.mark.parametrize(
    ("written", "meant"),
    [("U00000080", "U00000080"), ("a%40b", "a@b"), ("a@b", "a@b"), ("a%3Ab%2Bc", "a:b+c"), ("a+b", "a+b")],
)
def test_an_id_of_a_path_may_be_percent_encoded(written: str, meant: str) -> None:
    assert api_problem.tenant_id_of_path(written) == meant


@pytest.mark.parametrize("written", ["", "%20", "a%0A", "a\n", "a%2Fb", "a%2540b", "-a", "a" * 129, "%C3%A9"])
def test_a_malformed_id_of_a_path_is_refused_by_name(written: str) -> None:
    with pytest.raises(UserError, match="malformed_tenant_id"):
        api_problem.tenant_id_of_path(written)


@pytest.mark.parametrize("text", ["a%40b", "a\n", "a b"])
def test_an_id_of_a_body_is_taken_as_it_is(text: str) -> None:
    with pytest.raises(UserError, match="malformed_tenant_id"):
        api_problem.tenant_id(text)

"""Links to objects."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from tenant_experience.aws import objects


@pytest.mark.parametrize("region", ["eu-west-1", "me-south-1"])
def test_a_link_goes_to_the_region_it_is_signed_for(monkeypatch: pytest.MonkeyPatch, region: str) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    objects.s3.cache_clear()
    link = urlsplit(objects.page_link("data-bucket", "reports/r1/0/report.html", seconds=300))
    objects.s3.cache_clear()
    assert link.hostname == f"data-bucket.s3.{region}.amazonaws.com"
    query = parse_qs(link.query)
    assert query["X-Amz-Expires"] == ["300"]
    assert f"/{region}/s3/" in query["X-Amz-Credential"][0]


def test_a_link_sets_the_headers_that_s3_lets_it_set() -> None:
    objects.s3.cache_clear()
    query = parse_qs(urlsplit(objects.page_link("data-bucket", "reports/r1/0/report.html", seconds=300)).query)
    objects.s3.cache_clear()
    assert query["response-content-type"] == ["text/html; charset=utf-8"]
    assert query["response-content-disposition"] == ["inline"]
    assert query["response-cache-control"] == ["no-store"]

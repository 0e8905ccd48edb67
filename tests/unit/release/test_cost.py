from __future__ import annotations

from tenant_experience.release.cost import cost_sentences


def test_the_endpoint_for_a_month_and_the_jobs_until_now() -> None:
    endpoint, jobs = cost_sentences(
        "ml.m5.large", 2, {"ml.m5.xlarge": 7200.0, "ml.p9.huge": 3600.0, "ml.m5.large": 0.0}
    )
    assert endpoint.startswith(
        "The endpoint costs about $168 a month (2 \N{MULTIPLICATION SIGN} ml.m5.large), the same"
    )
    assert "list price of us-east-1" in endpoint
    assert jobs == (
        "The jobs of this release have used 3.0 instance hours, about $0.46 by the same prices, without ml.p9.huge, "
        "whose price is not in our table. They are paid whatever you decide."
    )


def test_a_release_of_a_minute_is_not_told_as_nothing() -> None:
    _, jobs = cost_sentences("ml.m5.large", 1, {"ml.m5.xlarge": 50.0})
    assert "have used 1 instance minute, less than one cent by" in jobs


def test_without_a_price_and_without_jobs_no_figure_is_made_up() -> None:
    [endpoint] = cost_sentences("ml.p9.huge", 1, {})
    assert "$" not in endpoint

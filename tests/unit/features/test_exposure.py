"""What the features tell of how often events come is true, however short the exposure: tenants with a known rate."""

from pathlib import Path

import pytest

from tests.support.poisson_tenants import Arrivals, rates_told

# So many that chance moves the mean of a band by at most 1.5% (one standard error).
TENANTS = {2: 40_000, 5: 16_000, 20: 4_000}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("rate", [2, pytest.param(5, marks=pytest.mark.slow), pytest.param(20, marks=pytest.mark.slow)])
def test_the_rate_is_true_when_the_exposure_begins_with_the_first_event(folder: Path, rate: int):
    for told in rates_told(Arrivals(rate, TENANTS[rate]), folder):
        assert told.tickets == pytest.approx(rate, rel=0.05), told
        assert told.escalations == pytest.approx(rate, rel=0.05), told


@pytest.mark.slow
@pytest.mark.parametrize("rate", [5, 20])
def test_it_is_true_when_an_export_has_dates_instead_of_times(folder: Path, rate: int):
    for told in rates_told(Arrivals(rate, TENANTS[rate], whole_days=True), folder):
        assert told.tickets == pytest.approx(rate, rel=0.05), told


@pytest.mark.slow
def test_it_is_true_of_events_that_come_together(folder: Path):
    # If one event were left out, and not all at its moment, every tenant would have at least one ticket too many.
    for told in rates_told(Arrivals(2, TENANTS[2], channels=("ticket", "work_order", "ticket")), folder):
        assert told.tickets == pytest.approx(4, rel=0.05), told
        assert told.escalations == pytest.approx(6, rel=0.05), told

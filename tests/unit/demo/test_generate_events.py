"""The demo's events: dirty as life, and a continuum; or two kinds of tenants that can be told apart."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, roc_auc_score

from demo.generate_events import Truth, generate, main
from tests.support.feature_job import FeatureJob

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
# Issue 5's rule of the groups, restated.
LOGGED = ["total_maintenance_tickets", "escalation_count", "mean_first_response_hr", "mean_full_resolution_hr"]
RATES = ["answer_rate", "negative_rate"]


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_the_two_classes_are_found_again(tmp_path: Path, seed: int):
    job = FeatureJob(tmp_path)
    truth = generate(job.raw, as_of=AS_OF, tenants=1_500, seed=seed, margin="wide")
    assert job.run({"as_of": "2026-11-01T00:00:00Z"})["status"] == "ok"
    rows = pq.read_table(job.output("features") / "features.parquet").to_pylist()
    bad = dict(zip(truth.tenant_ids.tolist(), truth.bad.tolist(), strict=True))
    rows = [row for row in rows if row["may_train"] and all(row[name] is not None for name in LOGGED + RATES)]
    assert len(rows) > 1200
    known = np.array([bad[row["tenant_id"]] for row in rows])
    values = {name: np.array([row[name] for row in rows]) for name in (*LOGGED, *RATES, "work_order_count")}
    for name in (*LOGGED, "work_order_count", "negative_rate"):
        assert values[name][known].mean() > 1.5 * values[name][~known].mean(), name
    assert values["answer_rate"][known].mean() < 0.75 < values["answer_rate"][~known].mean()
    matrix = np.column_stack([*(np.log1p(values[name]) for name in LOGGED), *(values[name] for name in RATES)])
    scaled = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    found = KMeans(2, n_init=5, random_state=0).fit_predict(scaled)
    assert adjusted_rand_score(known, found) >= 0.9


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        generate(tmp_path / name, as_of=AS_OF, tenants=50, seed=seed)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(names) == 6
    for name in names:
        a, b, c = ((tmp_path / folder / name).read_bytes() for folder in "abc")
        assert a == b != c


@dataclass(frozen=True)
class Continuum:
    """Features of the default events, and what the generator knows of the tenants."""

    truth: Truth
    rows: pd.DataFrame


@pytest.fixture(scope="module")
def continuum(tmp_path_factory: pytest.TempPathFactory) -> Continuum:
    job = FeatureJob(tmp_path_factory.mktemp("continuum"))
    truth = generate(job.raw, as_of=AS_OF, tenants=2_500)
    assert job.run({"as_of": "2026-11-01T00:00:00Z"})["status"] == "ok"
    rows = pd.read_parquet(job.output("features") / "features.parquet")
    return Continuum(truth, rows[rows.may_train])


def test_the_margins_are_those_of_real_households(continuum: Continuum):
    """The expected figures are a real table's own, rounded: shares of zeros, medians and ninth deciles."""
    rows = continuum.rows
    zeros = {"negative_rate": 0.885, "positive_rate": 0.758, "escalation_count": 0.857, "work_order_count": 0.223}
    for name, share in (zeros | {"total_maintenance_tickets": 0.389, "outbound_call_count": 0.213}).items():
        assert (rows[name] == 0).mean() == pytest.approx(share, abs=0.03), name
    assert (rows.answer_rate == 1).mean() == pytest.approx(0.504, abs=0.05)
    quantiles = {
        "work_order_count": (2.17, 9.96),
        "total_tickets": (7.21, 19.8),
        "mean_first_response_hr": (4.72, 18.4),
        "mean_full_resolution_hr": (30.3, 87.6),
    }
    for name, expected in quantiles.items():
        assert rows[name].quantile([0.5, 0.9]).tolist() == pytest.approx(expected, rel=0.15), name


def test_features_go_together_as_those_of_real_households(continuum: Continuum):
    """The expected figures are a real table's own rank correlations, rounded."""
    names = ["work_order_count", *LOGGED, *RATES]
    found = continuum.rows[names].corr("spearman").to_numpy()
    expected = [
        *([0.54], [0.31, 0.31], [0.14, 0.23, 0.09], [0.21, 0.33, 0.21, 0.45]),
        *([-0.10, -0.12, -0.14, 0.00, -0.13], [0.10, 0.15, 0.14, 0.10, 0.12, 0.00]),
    ]
    for number, row in enumerate(expected, start=1):
        assert found[number, :number].tolist() == pytest.approx(row, abs=0.08), names[number]


def test_features_show_who_has_a_worse_time_and_cannot_prove_it(continuum: Continuum):
    rows = continuum.rows.dropna(subset=[*LOGGED, *RATES])
    bad = dict(zip(continuum.truth.tenant_ids.tolist(), continuum.truth.bad.tolist(), strict=True))
    known = rows.tenant_id.map(bad).to_numpy()
    assert known.mean() == pytest.approx(0.5, abs=0.05)
    severity = rows[LOGGED].rank().sum(axis=1) - rows.answer_rate.rank()
    assert 0.7 < roc_auc_score(known, severity) < 0.9


def test_any_size_can_be_asked_for(tmp_path: Path):
    truth = generate(tmp_path, as_of=AS_OF, tenants=3, portfolios=9)
    assert truth.tenant_ids.tolist() == ["T000000", "T000001", "T000002"]
    assert truth.events > 0


def test_the_command_line_writes_a_batch_and_the_truth_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arguments = [str(tmp_path / "batch"), "--as-of", "2026-11-01T00:00:00Z", "--tenants", "20"]
    assert main([*arguments, "--truth", str(tmp_path / "truth.json")]) == 0
    assert '"T000019"' in (tmp_path / "truth.json").read_text()
    assert "20 tenants" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([*arguments[:1], "--as-of", "2026-11-01T00:00:00"])

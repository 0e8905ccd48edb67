"""The demo's events: fast to make, dirty as life, and with two kinds of tenants that can be told apart."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from demo.generate_events import DAYS_OF_CONTINUUM, generate, main
from tests.support.feature_job import FeatureJob

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
# Issue 5's rule of the groups, restated.
LOGGED = ["total_maintenance_tickets", "escalation_count", "mean_first_response_hr", "mean_full_resolution_hr"]
RATES = ["answer_rate", "negative_rate"]


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_the_two_classes_are_found_again(tmp_path: Path, seed: int):
    job = FeatureJob(tmp_path)
    truth = generate(job.raw, as_of=AS_OF, seed=seed)
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


def test_without_a_margin_the_features_are_as_those_of_real_households(tmp_path: Path):
    """The bounds are about a real table's own figures: shares of zeros, medians and rank correlations."""
    job = FeatureJob(tmp_path)
    generate(job.raw, as_of=AS_OF, days_of_log=DAYS_OF_CONTINUUM, margin="none")
    outcome = job.run({"as_of": "2026-11-01T00:00:00Z"})
    assert (outcome["status"], outcome["past_periods"]) == ("ok", [365, 730])
    rows = pd.read_parquet(job.output("features") / "features.parquet")
    zeros = {"negative_rate": 0.885, "positive_rate": 0.758, "escalation_count": 0.857, "work_order_count": 0.223}
    for name, share in zeros.items():
        assert (rows[name] == 0).mean() == pytest.approx(share, abs=0.06), name
    medians = {"work_order_count": 2.17, "total_tickets": 7.2, "mean_full_resolution_hr": 30.3, "answer_rate": 1.0}
    for name, median in medians.items():
        assert rows[name].median() == pytest.approx(median, rel=0.2), name
    ranks = rows[["work_order_count", "total_maintenance_tickets", *LOGGED[1:]]].corr("spearman")
    assert ranks.loc["mean_first_response_hr", "mean_full_resolution_hr"] == pytest.approx(0.45, abs=0.15)
    assert ranks.loc["work_order_count", "total_maintenance_tickets"] == pytest.approx(0.54, abs=0.15)


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

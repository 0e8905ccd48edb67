"""What a model of ours does, whatever its score: direction, missing values, and the same answer everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest

from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.grouping import Grouping
from tenant_experience.groups.next_period import NextPeriod
from tenant_experience.groups.uncertainty import probability_bad
from tenant_experience.models.scoring import Scorer
from tests.support.generated_tenants import generated_table, use_case
from tests.support.script_release import Release
from tests.support.serving_process import serving

# A tree may step back a little; on average over tenants more of what is worse must not look better.
TOLERANCE = 0.005
# The published P(bad) may not fall for any single tenant by more than this: more maintenance requests also say that
# mean hours are better known, which for a tenant just outside the bad group is less doubt.
TOLERANCE_OF_ONE = 0.01


@pytest.fixture(scope="module")
def scorer(release: Release) -> Scorer:
    return Scorer.load(release.models["all"])


@pytest.fixture(scope="module")
def newcomers() -> FeatureTable:
    """1,000 tenants the model has never seen; a tenth have no answer rate."""
    return generated_table(1_000, seed=77)


def matrix_of(table: FeatureTable, scorer: Scorer) -> np.ndarray:
    return table.matrix(scorer.manifest.features).astype(np.float32)


@pytest.mark.parametrize("marker", use_case().clustering.markers)
@pytest.mark.parametrize("step", [0.1, 0.5, 1.0])
def test_more_of_what_is_worse_does_not_look_better(
    scorer: Scorer, newcomers: FeatureTable, marker: str, step: float
) -> None:
    matrix = matrix_of(newcomers, scorer)
    column = scorer.manifest.features.index(marker)
    worse = matrix.copy()
    if use_case().features[marker].direction > 0:
        worse[:, column] = matrix[:, column] * (1 + step) + step
    else:
        worse[:, column] = matrix[:, column] * (1 - step)
    rise = scorer.outputs(worse) - scorer.outputs(matrix)
    assert rise.mean() >= -TOLERANCE


def test_what_is_no_marker_hardly_moves_the_answer(scorer: Scorer, newcomers: FeatureTable) -> None:
    matrix = matrix_of(newcomers, scorer)
    more = matrix.copy()
    more[:, scorer.manifest.features.index("total_tickets")] += 5
    assert np.abs(scorer.outputs(more) - scorer.outputs(matrix)).mean() < 0.05


def test_the_best_and_the_worst_tenant_are_told_apart(scorer: Scorer) -> None:
    """Minimum function: nothing ever went wrong, and everything did."""
    best = {"answer_rate": 1.0}
    worst = dict.fromkeys(scorer.manifest.features, 30.0) | {
        "answer_rate": 0.1,
        "negative_rate": 0.9,
        "mean_full_resolution_hr": 400.0,
        "mean_first_response_hr": 100.0,
    }
    rows = [[tenant.get(name, 0.0) for name in scorer.manifest.features] for tenant in (best, worst)]
    low, high = scorer.outputs(np.array(rows, dtype=np.float32))
    assert low < 0.1
    assert high > 0.9


@pytest.mark.parametrize("missing", [1, 3, 10])
def test_missing_features_still_give_an_answer(scorer: Scorer, newcomers: FeatureTable, missing: int) -> None:
    matrix = matrix_of(newcomers, scorer)
    matrix[:, :missing] = np.nan
    probabilities = scorer.outputs(matrix)
    assert np.all((probabilities > 0) & (probabilities < 1))


def test_a_row_is_answered_alike_alone_and_among_others(scorer: Scorer, newcomers: FeatureTable) -> None:
    matrix = matrix_of(newcomers, scorer)
    together = scorer.outputs(matrix)
    alone = np.concatenate([scorer.outputs(matrix[row : row + 1]) for row in range(100)])
    assert np.array_equal(together[:100], alone)


@pytest.fixture(scope="module")
def endpoint(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with serving(tmp_path_factory.mktemp("endpoint"), SAGEMAKER_MULTI_MODEL="true") as (client, _):
        body = {"model_name": "all", "url": str(release.models["all"])}
        assert client.post("/models", json=body).status_code == 200
        yield client


def instances_of(table: FeatureTable) -> list[dict[str, Any]]:
    return [
        {
            "tenant_id": str(tenant),
            "features": {n: None if np.isnan(v) else v for n, v in zip(table.features, row, strict=True)},
        }
        for tenant, row in zip(table.tenant_id, table.values.tolist(), strict=True)
    ]


def published(endpoint: httpx.Client, table: FeatureTable) -> np.ndarray:
    answer = endpoint.post("/models/all/invoke", json={"instances": instances_of(table)}).json()
    return np.array([prediction["probability"] for prediction in answer["predictions"]])


@pytest.mark.parametrize("marker", use_case().clustering.markers)
def test_more_of_what_is_worse_never_lowers_the_published_probability(
    endpoint: httpx.Client, newcomers: FeatureTable, marker: str
) -> None:
    some = newcomers.take(np.arange(300))
    before, column = published(endpoint, some), some.features.index(marker)
    for step in (0.1, 1.0):
        values = some.values.copy()
        if use_case().features[marker].direction > 0:
            values[:, column] = values[:, column] * (1 + step) + step / 10
        else:
            values[:, column] = values[:, column] * (1 - step)
        after = published(endpoint, replace(some, values=values))
        assert (after - before).min() >= -TOLERANCE_OF_ONE
        assert (after - before).mean() > 0


def test_a_tenant_of_whom_no_marker_is_known_gets_a_name_and_no_number(endpoint: httpx.Client) -> None:
    instances = [{"features": {}}, {"features": {"total_tickets": 4.0, "answer_rate": None}}]
    answer = endpoint.post("/models/all/invoke", json={"instances": instances, "explain": True}).json()
    for prediction in answer["predictions"]:
        assert (prediction["status"], prediction["experience"]) == ("no_features", None)
        assert (prediction["probability"], prediction["model_probability"], prediction["closeness"]) == (None,) * 3
        assert prediction["contributions"] == {}


def test_a_shorter_exposure_makes_the_endpoint_less_sure(endpoint: httpx.Client, newcomers: FeatureTable) -> None:
    def doubt(days: float | None) -> float:
        instances = [each | {"exposure_days": days} for each in instances_of(newcomers.take(np.arange(200)))]
        answer = endpoint.post("/models/all/invoke", json={"instances": instances}).json()
        probability = np.array([prediction["probability"] for prediction in answer["predictions"]])
        return float((probability * (1 - probability)).mean())

    assert doubt(90) > doubt(365) == doubt(None)


def test_the_endpoint_answers_json_as_the_process_does(
    endpoint: httpx.Client, release: Release, scorer: Scorer, newcomers: FeatureTable
) -> None:
    answer = endpoint.post("/models/all/invoke", json={"instances": instances_of(newcomers), "explain": True}).json()
    matrix = matrix_of(newcomers, scorer)
    own = scorer.outputs(matrix)
    grouping = Grouping.read(release.models["all"])
    seen = replace(newcomers, values=newcomers.values.astype(np.float32).astype(np.float64))
    complete = ~np.isnan(seen.matrix([marker.name for marker in grouping.markers])).any(axis=1)
    predictions = answer["predictions"]
    assert [prediction["tenant_id"] for prediction in predictions] == newcomers.tenant_id.tolist()
    assert [p["label_basis"] for p in predictions] == ["rule" if known else "model" for known in complete]
    assert {p["probability_basis"] for p in predictions} == {"one_snapshot"}
    assert np.abs(np.array([p["model_probability"] for p in predictions]) - own).max() < 1e-6
    probability = np.array([p["probability"] for p in predictions])
    assert np.array_equal(probability[complete], probability_bad(grouping, seen)[complete])
    # Where a marker is missing: P(bad now) P(bad again) + P(good now) P(bad next).
    (_, becomes_bad), (_, stays_bad) = NextPeriod.read(release.models["all"]).persistence
    expected = own * stays_bad + (1 - own) * becomes_bad
    assert 0.01 < becomes_bad < stays_bad < 0.99
    assert np.abs(probability[~complete] - expected[~complete]).max() < 1e-6
    expected = np.where(complete, grouping.assign(seen), own >= scorer.manifest.threshold)
    assert [p["experience"] for p in predictions] == np.where(expected, "bad", "good").tolist()
    contributions = np.array([list(p["contributions"].values()) for p in predictions])
    by_model, _ = scorer.reasons(matrix)
    assert np.abs(contributions[~complete] - by_model[~complete]).max() < 1e-6
    by_rule, _ = grouping.reasons(seen.matrix([marker.name for marker in grouping.markers]), expected.astype(int))
    of_markers = [scorer.manifest.features.index(marker.name) for marker in grouping.markers]
    assert np.abs(contributions[np.ix_(complete, of_markers)] - by_rule[complete]).max() < 1e-9
    assert not np.delete(contributions[complete], of_markers, axis=1).any()


def test_the_endpoint_answers_csv_as_the_process_does(
    endpoint: httpx.Client, scorer: Scorer, newcomers: FeatureTable
) -> None:
    rows = newcomers.matrix(scorer.manifest.features).tolist()
    body = "".join(",".join("" if np.isnan(value) else repr(value) for value in row) + "\n" for row in rows)
    headers = {"content-type": "text/csv", "accept": "text/csv"}
    answer = endpoint.post("/models/all/invoke", content=body, headers=headers)
    probabilities = np.array([float(line) for line in answer.text.splitlines()])
    assert np.abs(probabilities - scorer.outputs(matrix_of(newcomers, scorer))).max() < 1e-6

"""Samples of models with the answers that their evaluations gave, and the comparison with what an endpoint answers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tenant_experience import data_layout
from tenant_experience.aws import model_endpoint, objects, release_table
from tenant_experience.aws.model_endpoint import EndpointAnswer
from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError
from tenant_experience.models.digests import ModelDiffersError
from tenant_experience.release import smoke_comparison
from tenant_experience.release.release import PublishedModel

DIFFERS = "smoke_test_failed"
_AT_ONCE = 4  # models; an endpoint loads each on its first request
_PAUSE_S = 2.0


@dataclass(frozen=True)
class SmokeTest:
    """One model's samples.

    Attributes:
        model_key: its archive's key below ``models/``.
        digest: of the model that must answer; empty when none was registered.
        samples: ``instance`` and ``answer`` of each.
        tolerance: how far two numbers may be apart.
    """

    model_key: str
    digest: str
    samples: Sequence[Mapping[str, Any]]
    tolerance: float


@dataclass(frozen=True)
class Comparison:
    """How many models and predictions agree, and the largest difference."""

    models: int
    predictions: int
    largest_difference: float


def of_release(release: str, shards: Iterable[Mapping[str, Any]]) -> list[SmokeTest]:
    """The samples of every model that a release has trained.

    Args:
        release: which one.
        shards: the output of TrainModels.
    """
    keys = [
        data_layout.reports(release, shard["shard"]) + data_layout.SMOKE_TEST_FILE
        for shard in shards
        if shard["status"] == "ok"
    ]
    return [test for key in keys for test in _read(key)]


def of_live_models(use_cases: Iterable[str]) -> tuple[list[SmokeTest], list[str]]:
    """The samples of every model that answers now, and the keys of the models that have none."""
    models: dict[str, PublishedModel] = {}
    for use_case in use_cases:
        live = release_table.read_live(use_case)
        for slug in live.models if live else ():
            if live and (model := live.model_of(slug)):
                models[model.key] = model
    found = _of_models(models)
    return [found[key] for key in sorted(found)], sorted(models.keys() - found.keys())


def of_models(models: Iterable[PublishedModel]) -> list[SmokeTest]:
    """The samples of some models of earlier releases.

    Raises:
        PlatformError: ``no_smoke_test`` when one has none.
    """
    wanted = {model.key: model for model in models}
    found = _of_models(wanted)
    if missing := sorted(wanted.keys() - found.keys()):
        raise PlatformError(
            f"the evaluation of the model {missing[0]} left no samples in reports/, so nobody can say whether the "
            "endpoint answers as it did; nothing was taken back",
            code="no_smoke_test",
        )
    return [found[key] for key in sorted(found)]


def _of_models(models: Mapping[str, PublishedModel]) -> dict[str, SmokeTest]:
    found: dict[str, SmokeTest] = {}
    for version in sorted({model.version for model in models.values()}):
        for key in objects.keys(setting("DATA_BUCKET"), data_layout.reports(version)):
            if key.endswith(f"/{data_layout.SMOKE_TEST_FILE}"):
                found.update((test.model_key, test) for test in _read(key) if test.model_key in models)
    return found


def compare(tests: Iterable[SmokeTest], *, endpoint: str = "", attempts: int = 1) -> Comparison:
    """Asks an endpoint for every sample.

    Args:
        tests: what to ask, and what it must answer.
        endpoint: its name; the stack's own when empty.
        attempts: how often a model is asked that does not answer, because it is still loading.

    Raises:
        ModelDiffersError: when the endpoint loaded another archive than the evaluation packed.
        PlatformError: ``smoke_test_failed``, naming the model and both answers; ``model_unavailable``.
    """

    def largest(test: SmokeTest) -> float:
        answer = _ask(test, endpoint, attempts)
        return max((_difference(test, *pair) for pair in zip(answer.predictions, test.samples, strict=True)), default=0)

    asked = list(tests)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        apart = list(pool.map(largest, asked))
    return Comparison(len(asked), sum(len(test.samples) for test in asked), max(apart, default=0.0))


def _read(key: str) -> list[SmokeTest]:
    document = objects.read_json(setting("DATA_BUCKET"), key)
    return [
        SmokeTest(
            model["model_key"],
            model.get("digest", ""),  # absent from an evaluation by an earlier version
            model["samples"],
            document["tolerance"],
        )
        for model in document["models"]
    ]


def _ask(test: SmokeTest, endpoint: str, attempts: int) -> EndpointAnswer:
    instances = [each["instance"] for each in test.samples]
    while True:
        try:
            return model_endpoint.predict(test.model_key, instances, digest=test.digest, endpoint=endpoint)
        except ModelDiffersError:
            raise
        except PlatformError:
            attempts -= 1
            if attempts <= 0:
                raise
            time.sleep(_PAUSE_S)


def _difference(test: SmokeTest, given: Mapping[str, Any], sample: Mapping[str, Any]) -> float:
    largest = 0.0
    for name, offline in sample["answer"].items():
        apart = smoke_comparison.difference(given.get(name), offline)
        if not apart <= test.tolerance:
            raise PlatformError(
                f"model {test.model_key} answers {name}: {given.get(name)} through the endpoint but {offline} in the "
                "evaluation; nothing was published",
                code=DIFFERS,
            )
        largest = max(largest, apart)
    return largest

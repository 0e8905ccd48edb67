"""Which tenants share a model, and which models share a training job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenant_experience.data_layout import GLOBAL_PARTITION, partition_slug
from tenant_experience.errors import AlgorithmError
from tenant_experience.use_case.manifest import Scope
from tenant_experience.use_case.schema import Models, UseCase
from tenant_experience.use_case.tuning import Tuning


@dataclass(frozen=True)
class PartitionSize:
    """One model's tenants.

    Attributes:
        partition: its name: a portfolio, or ``all``.
        slug: the name as it stands in keys.
        scale: ``global`` when trained over every tenant of the release, else ``local``.
        tenants: how many tenants it answers for.
        training_tenants: how many it may train on; for the global one, of the whole release.
    """

    partition: str
    slug: str
    scale: str
    tenants: int
    training_tenants: int


def assign_partitions(
    portfolios: Mapping[str, tuple[int, int]], use_case: UseCase, scope: Scope
) -> dict[str, PartitionSize]:
    """Portfolio -> partition.

    Under ``global`` all share ``all``. Under ``per_partition`` a portfolio with at least ``minimum_tenants`` that may
    train has its own; the others share ``all``, as does a portfolio that is itself called ``all``. ``all`` is always
    there, even when no portfolio shares it: it answers for whoever has no model of their own by the next release.
    Without ``models.fallback`` it gets no model (see :func:`shards`), and nothing answers for the others.

    Args:
        portfolios: portfolio -> (tenants, tenants that may train).
        use_case: its minimum sizes.
        scope: of this release; the manifest may override the use case's.

    Raises:
        AlgorithmError: ``too_few_tenants``: all portfolios together are under the gate ``pooled_tenants``, or none has
            a model and there is no fallback.
    """
    pooled = sum(trainable for _, trainable in portfolios.values())
    needed = use_case.gates.pooled_tenants
    if pooled < needed:
        raise AlgorithmError(
            f"{pooled} tenants have enough history to train on "
            f"({use_case.history.provisional_below} days or more), of {sum(n for n, _ in portfolios.values())} seen; "
            f"the gate pooled_tenants asks for {needed}: send a longer or larger export",
            code="too_few_tenants",
        )
    own = {
        name
        for name, (_, trainable) in portfolios.items()
        if scope == "per_partition" and name != GLOBAL_PARTITION and trainable >= use_case.models.minimum_tenants
    }
    if not own and not use_case.models.fallback:
        raise AlgorithmError(
            f"no portfolio has the {use_case.models.minimum_tenants} tenants that may train which a model of its own "
            f"takes (models.minimum_tenants), and models.fallback is off: the largest has "
            f"{max(trainable for _, trainable in portfolios.values())}",
            code="too_few_tenants",
        )
    shared = PartitionSize(
        GLOBAL_PARTITION,
        partition_slug(GLOBAL_PARTITION),
        "global",
        tenants=sum(tenants for name, (tenants, _) in portfolios.items() if name not in own),
        training_tenants=pooled,
    )
    return {
        GLOBAL_PARTITION: shared,
        **{
            name: PartitionSize(name, partition_slug(name), "local", tenants, trainable) if name in own else shared
            for name, (tenants, trainable) in portfolios.items()
        },
    }


def shards(
    partitions: Mapping[str, PartitionSize],
    models: Models,
    hyperparameters: Mapping[str, str],
    tuning: Tuning | None = None,
) -> list[dict[str, Any]]:
    """``partitions.json``: one item per training job, at most ``models.shard_size`` models each, largest first.

    Under ``tuning`` one model each: a training of a search yields one loss.

    Args:
        partitions: from :func:`assign_partitions`.
        models: of the use case.
        hyperparameters: strings, as SageMaker passes them on.
        tuning: what is searched, and then not among the item's ``hyperparameters``.
    """
    size = models.shard_size if tuning is None else 1
    searched = tuning.ranges.keys() if tuning else ()
    trained = {partition for partition in partitions.values() if models.fallback or partition.scale == "local"}
    distinct = sorted(trained, key=lambda p: (-p.training_tenants, p.partition))
    return [
        {
            "shard": shard,
            "partitions": [vars(partition) for partition in distinct[start : start + size]],
            "hyperparameters": {name: value for name, value in hyperparameters.items() if name not in searched},
            "tuning": tuning.job() if tuning else None,
        }
        for shard, start in enumerate(range(0, len(distinct), size))
    ]

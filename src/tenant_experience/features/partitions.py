"""Which tenants share a model, and which models share a training job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tenant_experience.data_layout import GLOBAL_PARTITION, partition_slug
from tenant_experience.errors import AlgorithmError, UserError
from tenant_experience.use_case.group_choice import GroupChoice
from tenant_experience.use_case.manifest import Scope, without_training
from tenant_experience.use_case.models import Models
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.tuning import Tuning, TuningJob

# A release that inherits its groups needs tenants only to train and to test its model.
LEAST_INHERITING = 100


@dataclass(frozen=True)
class PartitionSize:
    """One model and the number of its tenants.

    Attributes:
        partition: the name of the partition: a portfolio, or ``all``.
        slug: the name as keys contain it.
        scale: ``global`` when the model is trained on every tenant of the release, else ``local``.
        tenants: how many tenants the model answers for.
        training_tenants: how many tenants it may train on; the global one may train on those of the whole release.
    """

    partition: str
    slug: str
    scale: str
    tenants: int
    training_tenants: int


@dataclass(frozen=True)
class Shard:
    """One training job: an item of ``partitions.json``.

    Attributes:
        shard: its number, from 0.
        partitions: the models it trains.
        hyperparameters: strings, as SageMaker passes them on; without those that are searched.
        tuning: the search, or None.
        groups: where the groups come from; None where labels come from a column.
        scope: of the release; the model of ``pooled`` has levels for partitions.
    """

    shard: int
    partitions: list[PartitionSize]
    hyperparameters: dict[str, str]
    tuning: TuningJob | None
    groups: GroupChoice | None = None
    scope: Scope = "global"


def assign_partitions(
    portfolios: Mapping[str, tuple[int, int]],
    use_case: UseCase,
    scope: Scope,
    *,
    inherits: bool = False,
    pooled: int | None = None,
) -> dict[str, PartitionSize]:
    """Portfolio -> partition.

    With scope ``global`` and ``pooled`` all portfolios share ``all``. With ``per_partition`` a portfolio with at least
    ``minimum_tenants`` that may train has a partition of its own. The other portfolios share ``all``, and so does a
    portfolio that is itself called ``all``. ``all`` always exists, even when no portfolio shares it: it answers for
    tenants who have no model of their own when the next release is made. Without ``models.fallback`` it gets no model
    (see :func:`shards`), and nothing answers for the other portfolios.

    Args:
        portfolios: portfolio -> (tenants, tenants that may train).
        use_case: the minimum sizes.
        scope: the scope of this release; the manifest may override that of the use case.
        inherits: whether the groups come from another release or a file: fewer tenants are then enough.
        pooled: how many tenants may train, in all portfolios together; the sum, where each is in one of them.

    Raises:
        AlgorithmError: ``too_few_tenants``: all portfolios together have fewer tenants than the gate
            ``pooled_tenants`` asks for, or no portfolio has a model and there is no fallback.
    """
    words = use_case.words
    pooled = sum(trainable for _, trainable in portfolios.values()) if pooled is None else pooled
    needed = min(LEAST_INHERITING, use_case.gates.pooled_tenants) if inherits else use_case.gates.pooled_tenants
    if pooled < needed:
        raise AlgorithmError(
            f"{pooled} {words.records} have {trainable_words(use_case)}, of {sum(n for n, _ in portfolios.values())} "
            "seen; "
            + (
                f"{needed} are needed to use groups that were found elsewhere: send a longer or larger export"
                if inherits
                else f"the gate pooled_tenants asks for {needed}: send "
                + ("an export with more labels" if use_case.labels.column else "a longer or larger export")
            )
            + f". {without_training()}",
            code="too_few_tenants",
        )
    own = {
        name
        for name, (_, trainable) in portfolios.items()
        if scope == "per_partition" and name != GLOBAL_PARTITION and trainable >= use_case.models.minimum_tenants
    }
    if not own and not use_case.models.fallback:
        raise AlgorithmError(
            f"no {words.partition} has the {use_case.models.minimum_tenants} {words.records} with "
            f"{trainable_words(use_case)} that a model of its own needs (models.minimum_tenants), and models.fallback "
            f"is false: the largest {words.partition} has "
            f"{max(trainable for _, trainable in portfolios.values())}. {without_training()}",
            code="too_few_tenants",
        )
    by_slug = {partition_slug(name): name for name in own}
    if len(by_slug) < len(own) or partition_slug(GLOBAL_PARTITION) in by_slug:
        first = sorted(own - set(by_slug.values()) or {by_slug[partition_slug(GLOBAL_PARTITION)]})[0]
        raise UserError(
            f"two {words.partitions} are both written {partition_slug(first)!r} in keys and names of AWS: rename one "
            f"of {first!r} and {by_slug[partition_slug(first)]!r} in the source",
            code="invalid_features",
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


def trainable_words(use_case: UseCase) -> str:
    """What a tenant that may train has."""
    history = f"enough history to train on ({use_case.history.provisional_below} days or more)"
    if use_case.labels.column is None:
        return history
    if use_case.labels.from_ == "events":
        return f"been known at one of the cut-offs of labels.from: events, with {history}"
    label = f"a value in the label column {use_case.labels.column!r}"
    return label if use_case.events is None else f"{label} and, where features come from events, {history}"


def shards(
    partitions: Mapping[str, PartitionSize],
    models: Models,
    hyperparameters: Mapping[str, str],
    tuning: Tuning | None = None,
    groups: GroupChoice | None = None,
) -> list[Shard]:
    """The training jobs, the largest models first, with at most ``models.shard_size`` models in each.

    With ``tuning`` each job has one model, because one training of a search gives one loss.

    Args:
        partitions: from :func:`assign_partitions`.
        models: the use case's, with the scope of the release.
        hyperparameters: strings, as SageMaker passes them on.
        tuning: what is searched, if anything.
        groups: where the groups come from.
    """
    size = models.shard_size if tuning is None else 1
    searched = tuning.ranges.keys() if tuning else ()
    trained = {partition for partition in partitions.values() if models.fallback or partition.scale == "local"}
    distinct = sorted(trained, key=lambda p: (-p.training_tenants, p.partition))
    return [
        Shard(
            shard,
            distinct[start : start + size],
            {name: value for name, value in hyperparameters.items() if name not in searched},
            tuning.job() if tuning else None,
            groups,
            models.scope,
        )
        for shard, start in enumerate(range(0, len(distinct), size))
    ]

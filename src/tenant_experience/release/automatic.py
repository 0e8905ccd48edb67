"""Whether a release may go live without a person: only when nothing at all speaks against it (``mode: automatic``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tenant_experience.release.brief import Brief, PartitionBrief
from tenant_experience.release.partition_result import PartitionResult, ShardResult
from tenant_experience.release.release import LiveRelease

APPROVER = "the rules of the use case"
_AS_GOOD = ("better", "equal")
_MOST_TOLD, _MOST_NAMED = 10, 5


def hindrances(shards: Sequence[ShardResult], brief: Brief, live: LiveRelease | None) -> tuple[str, ...]:
    """Why people must decide about a release, in sentences; none when the rules may approve it.

    What is not known speaks against it, too.

    Args:
        shards: the results of every shard.
        brief: of the whole release.
        live: what is live now; None for nothing.
    """
    found = list(_hindrances(shards, brief, live))
    more = len(found) - _MOST_TOLD
    return tuple(found) if more <= 0 else (*found[:_MOST_TOLD], f"{more} more things of this kind.")


def _hindrances(shards: Sequence[ShardResult], brief: Brief, live: LiveRelease | None) -> Iterator[str]:
    if warned := len(brief.all_warnings):
        yield "A warning stands." if warned == 1 else f"{warned} warnings stand."
    if refused := [each.partition for shard in shards for each in shard.partitions if not each.is_ready]:
        more = f" and {len(refused) - _MOST_NAMED} more" if len(refused) > _MOST_NAMED else ""
        yield f"No model could be made for {', '.join(refused[:_MOST_NAMED])}{more}."
    if empty := sum(not shard.partitions for shard in shards):
        yield f"{empty} of {len(shards)} shards were refused as a whole."
    if live is None:
        yield "It is the first release of its use case, so there is nothing to compare it with."
        return
    briefs = {each.slug: each for each in brief.partitions}
    versions = {slug: each.version for slug, each in live.partitions.items()}
    for result in (each for shard in shards for each in shard.ready):
        yield from _of_model(result, briefs.get(result.slug), versions)


def _of_model(result: PartitionResult, found: PartitionBrief | None, versions: Mapping[str, str]) -> Iterator[str]:
    """What keeps the comparison of a model from being relied on, or what it has shown."""
    name = result.partition
    if found is None:
        yield f"It is not known how the model of {name} compares with what is live."
    elif not found.gates:
        yield f"No gate was measured on the model of {name}."
    elif result.slug not in versions:
        yield f"Nothing is live for {name} to compare its model with."
    elif found.compared_with != versions[result.slug]:
        yield f"What is live for {name} is not what its model was compared with."
    elif found.verdict not in _AS_GOOD:
        yield f"{found.verdict_text}: the model of {name}."


def reason(brief: Brief) -> str:
    """Why the rules approve a release that has no hindrances, in a sentence."""
    gates, models = sum(each.gates for each in brief.partitions), len(brief.partitions)
    of = "the model" if models == 1 else f"{models} models"
    passed = f"{gates} {'gate' if gates == 1 else 'gates'} on {of}"
    return f"approved automatically: {passed} and every gate on the data passed, and no warning stands"

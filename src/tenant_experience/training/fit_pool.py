"""One model per core: lessons learnt by several processes at once, each with one thread.

Processes, not XGBoost's own threads: those wait for one another at every level of every tree, which for models of some
thousand rows takes longer than the work does (``make bench-training`` measures it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

from tenant_experience.features.table import FeatureTable
from tenant_experience.jobs.instance_resources import available_cpus, available_memory
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.training.fit import Learned, Lesson, learn

Learn = Callable[[Lesson], Learned]
# A process with its libraries; and, a row and column, the matrix, its masked copy, and what a trainer makes of both.
_PROCESS_BYTES = 256 << 20
_CELL_BYTES = 48


def learners_for(table: FeatureTable, partitions: list[Partition]) -> int:
    """How many processes to learn with: one a core, but no more than models, nor than memory suffices for; 1 or more.

    Args:
        table: features of the release's tenants, already in memory.
        partitions: the models to make.
    """
    rows = max((len(table.of_partition(partition.slug)) for partition in partitions), default=0)
    columns = len(table.features) + sum(map(len, table.categories.values()))
    needed = _PROCESS_BYTES + _CELL_BYTES * rows * columns
    return max(1, min(available_cpus(), len(partitions), available_memory() // (2 * needed)))


@contextmanager
def learners(count: int) -> Iterator[Learn]:
    """A ``learn`` that ``count`` threads may call at once; with 1, it is learnt here."""
    if count == 1:
        yield learn
        return
    # Spawned: a fork would take over locks that XGBoost's and Arrow's threads hold.
    with ProcessPoolExecutor(count, get_context("spawn")) as pool:
        yield lambda lesson: pool.submit(learn, lesson).result()

"""One model per core: several processes fit models at once, each with one thread.

Processes instead of XGBoost's own threads: threads wait for one another at every level of every tree, which takes
longer than the work itself for models of some thousand rows (``make bench-training`` measures it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

from tenant_experience.features.table import FeatureTable
from tenant_experience.jobs.instance_resources import available_cpus, available_memory
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.training.fit import FitTask, FittedModel, fit

Fit = Callable[[FitTask], FittedModel]
# A process with its libraries; and for each cell (row and column): the matrix, its copy with hidden features, and what
# a trainer makes of both.
_PROCESS_BYTES = 256 << 20
_CELL_BYTES = 48


def pool_size(table: FeatureTable, partitions: list[Partition]) -> int:
    """The number of processes to fit models with, at least 1.

    One per core, but not more than there are models, nor than fit into memory.

    Args:
        table: features of the release's tenants, already in memory.
        partitions: the models to make.
    """
    rows = max((len(table.of_partition(partition.slug)) for partition in partitions), default=0)
    columns = len(table.features) + sum(map(len, table.categories.values()))
    needed = _PROCESS_BYTES + _CELL_BYTES * rows * columns
    return max(1, min(available_cpus(), len(partitions), available_memory() // (2 * needed)))


@contextmanager
def fit_pool(count: int) -> Iterator[Fit]:
    """A ``fit`` that ``count`` threads may call at once. With a count of 1 it runs in this process."""
    if count == 1:
        yield fit
        return
    # Spawned: a fork would copy locks that the threads of XGBoost and Arrow hold.
    with ProcessPoolExecutor(count, get_context("spawn")) as pool:
        yield lambda task: pool.submit(fit, task).result()

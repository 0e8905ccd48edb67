"""Which portfolios share a model."""

from tenant_experience.features.partitions import assign_partitions, shards
from tenant_experience.use_case.models import Models
from tenant_experience.use_case.schema import load_use_case
from tests.support.places import USE_CASE_FOLDER

USE_CASE = load_use_case(USE_CASE_FOLDER)


def test_a_portfolio_called_all_shares_the_global_model_however_large():
    portfolios = {"all": (9_000, 8_000), "north": (3_000, 2_000), "south": (100, 90)}
    assigned = assign_partitions(portfolios, USE_CASE, "per_partition")
    assert {name: (p.slug, p.scale) for name, p in assigned.items()} == {
        "all": ("all", "global"),
        "north": ("north", "local"),
        "south": ("all", "global"),
    }
    assert (assigned["all"].tenants, assigned["all"].training_tenants) == (9_100, 10_090)
    assert assigned["all"] is assigned["south"]


def test_the_shared_partition_is_trained_even_when_every_portfolio_has_its_own():
    partitions = assign_partitions({"north": (3000, 3000), "south": (2500, 2500)}, USE_CASE, "per_partition")
    assert {name: partition.slug for name, partition in partitions.items()} == {
        "all": "all",
        "north": "north",
        "south": "south",
    }
    trained = [each.slug for shard in shards(partitions, Models(shard_size=10), {}) for each in shard.partitions]
    assert trained == ["all", "north", "south"]

"""Splits tenants: 70% to train a model, 20% to stop its training, 10% to test it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SHARES = {TRAIN: 0.7, VALIDATION: 0.2, TEST: 0.1}
# The same in every release, so that tenants rarely change parts, and the tenants that tested the last model do not
# train the next one.
SEED = 1


def split_tenants(tenant_ids: Sequence[str], strata: NDArray[np.integer], seed: int = SEED) -> NDArray[np.str_]:
    """Puts each tenant into train, validation or test, 70/20/10 within each stratum, by a hash of its id.

    Args:
        tenant_ids: distinct; their order changes nothing.
        strata: the stratum of each, shape (tenants,).
        seed: another seed is another split.

    Returns:
        One of the three names per tenant, shape (tenants,).
    """
    # Hash first, id second: two ids of one hash still have one order.
    keys = np.array([f"{_hash(tenant_id, seed)}{tenant_id}" for tenant_id in tenant_ids], dtype=np.str_)
    parts = np.empty(len(tenant_ids), dtype="<U10")
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        members = members[np.argsort(keys[members])]
        train_end = round(SHARES[TRAIN] * len(members))
        validation_end = round((SHARES[TRAIN] + SHARES[VALIDATION]) * len(members))
        parts[members[:train_end]] = TRAIN
        parts[members[train_end:validation_end]] = VALIDATION
        parts[members[validation_end:]] = TEST
    return parts


def hash_sample(tenant_ids: NDArray[np.str_], count: int, seed: int = SEED) -> NDArray[np.int64]:
    """Ascending places of the ``count`` tenants whose ids have the smallest hashes; of all if there are no more."""
    if len(tenant_ids) <= count:
        return np.arange(len(tenant_ids))
    hashes = np.array([_hash(tenant_id, seed) for tenant_id in tenant_ids.tolist()])
    return np.sort(np.argsort(hashes, kind="stable")[:count])


def _hash(tenant_id: str, seed: int) -> str:
    return hashlib.blake2b(f"{seed}:{tenant_id}".encode(), digest_size=8).hexdigest()

"""Splits tenants: 70% to train a model, 20% to stop its training, 10% to test it. Only the rows decide, not the ids.

Every row has a key: a hash of its values. Keys put rows into an order that is as good as random, but is the same in
every process, and does not change when tenants get other ids (pseudonyms) or a file has another order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SHARES = {TRAIN: 0.7, VALIDATION: 0.2, TEST: 0.1}
# The same in every release, so that a row which does not change rarely changes parts: what tested the last model does
# not train the next one.
SEED = 1

Hashes = NDArray[np.uint64]


def split_rows(keys: Hashes, strata: NDArray[np.integer]) -> NDArray[np.str_]:
    """Puts each row into train, validation or test, 70/20/10 within each stratum, in the order of the keys.

    Args:
        keys: of the rows, see ``spread_keys``.
        strata: the stratum of each, shape (rows,).

    Returns:
        One of the three names per row, shape (rows,).
    """
    parts = np.empty(len(keys), dtype="<U10")
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        members = members[np.argsort(keys[members], kind="stable")]
        train_end = round(SHARES[TRAIN] * len(members))
        validation_end = round((SHARES[TRAIN] + SHARES[VALIDATION]) * len(members))
        parts[members[:train_end]] = TRAIN
        parts[members[train_end:validation_end]] = VALIDATION
        parts[members[validation_end:]] = TEST
    return parts


def split_units(keys: Hashes, units: NDArray[np.integer], strata: NDArray[np.integer]) -> NDArray[np.str_]:
    """Puts rows into the three parts so that no unit, such as all rows of a building, is divided between them.

    Of units that are alike (as many rows of each stratum), each ten give seven, two and one to the parts, in the order
    of their keys. Those left over, the largest first, go where most is missing of what they have.

    Args:
        keys: of the units, shape (units,).
        units: the number of each row's unit, from 0, shape (rows,).
        strata: the stratum of each row, shape (rows,).

    Returns:
        One of the three names per row, shape (rows,). With very few units, a part may be empty.
    """
    names, codes = np.unique(strata, return_inverse=True)
    flat = np.bincount(units * len(names) + codes, minlength=len(keys) * len(names))
    counts = flat.reshape(len(keys), len(names)).astype(np.float64)
    _, kinds, sizes = np.unique(counts, axis=0, return_inverse=True, return_counts=True)
    kinds = kinds.reshape(-1)
    order = np.lexsort((keys, kinds))
    place = np.arange(len(keys)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    tens = np.repeat(sizes // 10, sizes)
    part = np.full(len(keys), -1)
    ends = np.cumsum([round(share * 10) for share in SHARES.values()])
    part[order] = np.where(place < 10 * tens, np.searchsorted(ends, place // np.maximum(tens, 1), side="right"), -1)
    filled = np.stack([counts[part == each].sum(axis=0) for each in range(len(SHARES))])
    targets = np.outer(list(SHARES.values()), counts.sum(axis=0))
    rest = np.flatnonzero(part < 0)
    for unit in rest[np.lexsort((keys[rest], -counts[rest].sum(axis=1)))]:
        missing = (counts[unit] * (targets - filled) / targets).sum(axis=1)
        # Figures that differ by rounding alone are equal, so that the first part of the three gets the unit.
        part[unit] = int(np.flatnonzero(missing >= missing.max() - 1e-9)[0])
        filled[part[unit]] += counts[unit]
    return np.asarray(np.asarray(list(SHARES), dtype="<U10")[part[units]])


def split_by_time(times: NDArray[np.datetime64]) -> NDArray[np.str_] | None:
    """Puts the oldest rows into train, the next ones into validation and the newest into test.

    Rows of one time are in one part: each cut lies between two times, at the one nearest to 70% and to 90% of the rows,
    the earlier one of two that are equally near.

    Args:
        times: of the rows, shape (rows,).

    Returns:
        One of the three names per row, shape (rows,); None with fewer than three times.
    """
    moments, places, sizes = np.unique(times, return_inverse=True, return_counts=True)
    if len(moments) < len(SHARES):
        return None
    ends = np.cumsum(sizes) / len(times)
    trained = 1 + int(np.argmin(np.round(np.abs(ends[:-2] - SHARES[TRAIN]), 12)))
    wanted = SHARES[TRAIN] + SHARES[VALIDATION]
    validated = 1 + trained + int(np.argmin(np.round(np.abs(ends[trained:-1] - wanted), 12)))
    parts = np.repeat(list(SHARES), [trained, validated - trained, len(moments) - validated])
    return parts.astype("<U10")[places.reshape(-1)]


def smallest_keys(keys: Hashes, count: int) -> NDArray[np.int64]:
    """Ascending places of the ``count`` rows with the smallest keys; of all rows if there are no more."""
    return np.sort(np.argsort(keys, kind="stable")[:count])


def spread_keys(hashes: Hashes, seed: int = SEED) -> Hashes:
    """A key for each row: its hash, mixed with how many rows before it have the same hash.

    Without the number, all rows that are alike, such as tenants without any contact, would be in one part of the split.

    Args:
        hashes: of the rows, see ``row_hashes``; rows that are alike but not interchangeable must be in a fixed order.
        seed: another seed is another split.
    """
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
    occurrence = np.empty(len(hashes), dtype=np.uint64)
    occurrence[order] = np.arange(len(hashes)) - np.repeat(first, np.diff(np.append(first, len(hashes))))
    return _mixed(_mixed(hashes ^ np.uint64(seed)) ^ occurrence)


def row_hashes(columns: Sequence[Hashes], rows: int) -> Hashes:
    """A 64-bit hash of each row, shape (rows,).

    Args:
        columns: from ``number_hashes`` and ``text_hashes``, (rows,) each; their order matters.
        rows: how many there are.
    """
    hashes = np.zeros(rows, dtype=np.uint64)
    for column in columns:
        hashes = _mixed(hashes ^ column)
    return hashes


def number_hashes(values: NDArray[np.floating]) -> Hashes:
    """A hash of each number. Zero has one sign here, and NaN one spelling."""
    plain = np.where(np.isnan(values), np.nan, values.astype(np.float64) + 0.0)
    return _mixed(plain.view(np.uint64))


def text_hashes(texts: NDArray[np.str_]) -> Hashes:
    """A hash of each text."""
    distinct, inverse = np.unique(texts, return_inverse=True)
    digests = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in distinct.tolist()]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)[inverse]


def _mixed(values: Hashes) -> Hashes:
    """SplitMix64 (Steele, Lea and Flood, 2014): every bit of a number changes about half of the bits of its hash."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))

"""The features that decide the groups: which of them are usable, and how badly off a tenant is by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tenant_experience.errors import AlgorithmError
from tenant_experience.features.table import FeatureTable
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.ranks import severity_scores
from tenant_experience.statistics.transforms import Transform, transformed
from tenant_experience.use_case.schema import UseCase

# Shares are not shown for fewer tenants, and nothing is decided by them.
LEAST_KNOWN = 30


@dataclass(frozen=True)
class Marker:
    """A feature that decides the groups: its direction (+1 more is worse, -1 more is better) and transform."""

    name: str
    direction: int
    transform: Transform


def usable_markers(table: FeatureTable, use_case: UseCase) -> tuple[list[Marker], dict[str, str]]:
    """The use case's markers that differ between these tenants, and the reasons why others are left out.

    Raises:
        AlgorithmError: ``no_markers`` when none is left.
    """
    usable, left_out, words = [], {}, use_case.words
    for name in use_case.grouped.markers:
        known = table.column(name)
        known = known[~np.isnan(known)]
        if not len(known):
            left_out[name] = f"null for every {words.record}"
        elif np.all(known == known[0]):
            left_out[name] = f"{known[0]:g} for every {words.record}"
        elif len(known) < LEAST_KNOWN:
            left_out[name] = f"known for only {len(known)} {words.records}, but at least {LEAST_KNOWN} are needed"
        else:
            feature = use_case.features[name]
            usable.append(Marker(name, feature.direction, feature.transform))
    if not usable:
        raise AlgorithmError(f"no marker differs between {words.records}: {left_out}", code="no_markers")
    return usable, left_out


def marker_values(table: FeatureTable, markers: Sequence[Marker]) -> Floats:
    """Transformed values, shape (tenants, markers), NaN where unknown."""
    return np.column_stack([transformed(table.column(marker.name), marker.transform) for marker in markers])


def marker_scores(table: FeatureTable, markers: Sequence[Marker]) -> Floats:
    """The score s of each tenant, see ``severity_scores``."""
    names = [marker.name for marker in markers]
    return severity_scores(table.matrix(names), [marker.direction for marker in markers])

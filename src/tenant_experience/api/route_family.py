"""The two families of routes, and what the answers of each call things. Everything else is the same for both.

``/tenants/...`` and ``/predictions`` answer for the stack's own use case, in fields named after tenants.
``/use-cases/{name}/...`` answers for any use case of the stack, in fields whose names fit all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RouteFamily:
    """What one family of routes calls things.

    Attributes:
        noun: what a record is called in codes; sentences have the words of the use case.
        record_id: the field of the id in an answer, and the parameter of the path.
        partition: the field of the partition.
        label: the field of the label.
        ids: the field of the ids in a request for many.
        flat_aspects: whether the aspects of the features are fields of the answer itself.
        shows_closeness: whether ``model_probability`` is also given by its old name (decision 0016).
    """

    noun: str
    record_id: str
    partition: str
    label: str
    ids: str
    flat_aspects: bool
    shows_closeness: bool

    @property
    def unknown(self) -> str:
        """The code for an id that no batch had."""
        return f"unknown_{self.noun}"

    @property
    def malformed(self) -> str:
        """The code for what cannot be an id."""
        return f"malformed_{self.noun}_id"

    def aspects(self, values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """The fields that show the features by aspect; ``values`` is aspect -> feature -> value."""
        return dict(values) if self.flat_aspects else {"aspects": values}


TENANT_ROUTES = RouteFamily(
    noun="tenant",
    record_id="tenant_id",
    partition="portfolio_id",
    label="experience",
    ids="tenant_ids",
    flat_aspects=True,
    shows_closeness=True,
)
RECORD_ROUTES = RouteFamily(
    noun="record",
    record_id="record_id",
    partition="partition",
    label="label",
    ids="ids",
    flat_aspects=False,
    shows_closeness=False,
)
FAMILIES = (TENANT_ROUTES, RECORD_ROUTES)

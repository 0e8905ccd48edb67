"""The schema of a feature group, and the form of its values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local_aws.sagemaker.core.errors import ServiceError

RESERVED = frozenset({"is_deleted", "write_time", "api_invocation_time"})

_SECONDS = {"Seconds": 1, "Minutes": 60, "Hours": 3600, "Days": 86400, "Weeks": 604800}
_EVENT_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
_INTEGRAL = re.compile(r"[+-]?\d{1,19}")
_FRACTIONAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_SMALLEST, _GREATEST = -(2**63), 2**63 - 1


def refused(message: str) -> ServiceError:
    """The runtime's own refusal: ``ValidationError``, not the control plane's ``ValidationException``."""
    return ServiceError("ValidationError", f"Validation Error: {message}")


def seconds(ttl: dict[str, Any] | None) -> float | None:
    """A TtlDuration in seconds."""
    return None if not ttl else float(_SECONDS[ttl["Unit"]] * ttl["Value"])


@dataclass(frozen=True)
class Schema:
    """What a write needs to know about a group, kept in memory."""

    group_id: int
    name: str
    identifier: str
    event_time: str
    types: dict[str, str]
    ttl: float | None
    online: bool
    offline: bool
    ready_at: float

    @classmethod
    def of(cls, group: dict[str, Any]) -> Schema:
        """From the group's description."""
        online = group.get("OnlineStoreConfig", {})
        return cls(
            group_id=group["_id"],
            name=group["FeatureGroupName"],
            identifier=group["RecordIdentifierFeatureName"],
            event_time=group["EventTimeFeatureName"],
            types={each["FeatureName"]: each["FeatureType"] for each in group["FeatureDefinitions"]},
            ttl=seconds(online.get("TtlDuration")),
            online=bool(online.get("EnableOnlineStore")),
            offline="OfflineStoreConfig" in group,
            ready_at=group["_ready_at"],
        )

    def check(self, record: list[dict[str, str]]) -> dict[str, str]:
        """The record's values by feature name.

        Raises:
            ServiceError: ValidationError, a feature is unknown, given twice, of the wrong type, or missing.
        """
        values: dict[str, str] = {}
        types = self.types
        for feature in record:
            name, value = feature.get("FeatureName"), feature.get("ValueAsString")
            kind = types.get(name) if name is not None else None
            if name is None or kind is None:
                raise refused(f"FeatureGroup {self.name} has no feature {name!r}.")
            if not isinstance(value, str):
                raise refused(f"Feature {name} needs ValueAsString. A feature without a value is left out.")
            if name in values:
                raise refused(f"Feature {name} is there more than once.")
            if kind != "String":
                _check_number(name, kind, value)
            values[name] = value
        for needed in (self.identifier, self.event_time):
            if not values.get(needed):
                raise refused(f"Feature {needed} is required in every record of FeatureGroup {self.name}.")
        return values

    def event_seconds(self, value: str) -> float:
        """An event time in Unix seconds.

        Raises:
            ServiceError: ValidationError, its format is not one that the group's type allows.
        """
        if self.types[self.event_time] == "Fractional":
            _check_number(self.event_time, "Fractional", value)
            return float(value)
        if _EVENT_TIME.fullmatch(value):
            try:
                return datetime.fromisoformat(value).timestamp()
            except ValueError:
                pass  # a day or an hour that does not exist is refused below, like any other text
        raise refused(
            f"EventTime {value!r} of feature {self.event_time} is neither yyyy-MM-dd'T'HH:mm:ssZ nor "
            "yyyy-MM-dd'T'HH:mm:ss.SSSZ."
        )


def _check_number(name: str, kind: str, value: str) -> None:
    if kind == "Fractional":
        if _FRACTIONAL.fullmatch(value):
            return
    elif _INTEGRAL.fullmatch(value) and _SMALLEST <= int(value) <= _GREATEST:
        return
    raise refused(f"Feature {name} is of type {kind}, and {value[:64]!r} is not.")


def iso(moment: float) -> str:
    """Unix seconds in the form of ExpiresAt."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

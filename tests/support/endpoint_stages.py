"""SageMaker's endpoints as a function sees them, each in the status that a test gives it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


class StagedSageMaker:
    """Endpoints, their configs and models. An operation that starts something leaves it under way.

    Attributes:
        endpoints: name -> description.
        updates: every UpdateEndpoint.
        alarms: name -> state.
        now: the time of the next change.
    """

    def __init__(self) -> None:
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.configs: dict[str, dict[str, Any]] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.updates: list[dict[str, Any]] = []
        self.alarms = {"a": "OK", "b": "OK"}
        self.now = NOW

    def settle(self, name: str, status: str = "InService", reason: str = "") -> None:
        """End what is under way: it succeeds, or it fails for ``reason``."""
        found = self.endpoints[name]
        if status == "InService" and not reason:
            found["EndpointConfigName"] = found.pop("next", found["EndpointConfigName"])
        found.update(EndpointStatus=status, LastModifiedTime=self.now, FailureReason=reason)

    def get_paginator(self, _name: str) -> StagedSageMaker:
        return self

    def paginate(self, **_options: str) -> list[dict[str, Any]]:
        return [{"Endpoints": list(self.endpoints.values())}]

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:  # noqa: N803
        return dict(self.endpoints[EndpointName])

    def create_endpoint(self, EndpointName: str, EndpointConfigName: str) -> None:  # noqa: N803
        assert EndpointConfigName in self.configs
        assert EndpointName not in self.endpoints
        self.endpoints[EndpointName] = {
            "EndpointName": EndpointName,
            "EndpointConfigName": EndpointConfigName,
            "EndpointStatus": "Creating",
            "LastModifiedTime": self.now,
        }

    def update_endpoint(self, **request: Any) -> None:
        self.updates.append(request)
        found = self.endpoints[request["EndpointName"]]
        assert found["EndpointStatus"] == "InService"
        found.update(EndpointStatus="Updating", next=request["EndpointConfigName"], LastModifiedTime=self.now)

    def delete_endpoint(self, EndpointName: str) -> None:  # noqa: N803
        del self.endpoints[EndpointName]

    def describe_alarms(self, AlarmNames: list[str]) -> dict[str, Any]:  # noqa: N803
        return {"MetricAlarms": [{"AlarmName": name, "StateValue": self.alarms[name]} for name in AlarmNames]}

    def list_endpoint_configs(self, NameContains: str) -> dict[str, Any]:  # noqa: N803
        return {"EndpointConfigs": [{"EndpointConfigName": name} for name in self.configs if NameContains in name]}

    def describe_endpoint_config(self, EndpointConfigName: str) -> dict[str, Any]:  # noqa: N803
        return self.configs[EndpointConfigName]

    def create_endpoint_config(self, **request: Any) -> None:
        self.configs[request["EndpointConfigName"]] = request

    def list_models(self, NameContains: str) -> dict[str, Any]:  # noqa: N803
        return {"Models": [name for name in self.models if NameContains in name]}

    def create_model(self, **request: Any) -> None:
        self.models[request["ModelName"]] = request

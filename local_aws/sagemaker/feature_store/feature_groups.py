"""Feature groups: their schemas and where their records go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from local_aws.sagemaker.core import listing, tags
from local_aws.sagemaker.core.context import Context
from local_aws.sagemaker.core.errors import ServiceError, not_emulated, not_found, resource_in_use, validation_error
from local_aws.sagemaker.core.validation import refuse_others
from local_aws.sagemaker.feature_store.feature_schema import RESERVED, Schema
from local_aws.sagemaker.feature_store.online_store import OnlineStore

KIND = "FeatureGroup"
_CREATE = frozenset(
    {"FeatureGroupName", "RecordIdentifierFeatureName", "EventTimeFeatureName", "FeatureDefinitions"}
    | {"OnlineStoreConfig", "OfflineStoreConfig", "RoleArn", "Description", "Tags"}
)


class FeatureGroups:
    """CreateFeatureGroup and related operations."""

    def __init__(self, context: Context, online: OnlineStore) -> None:
        self.context = context
        self._online = online
        self._lock = threading.Lock()
        self._schemas = {group["FeatureGroupName"]: Schema.of(group) for group in context.store.all(KIND)}

    def operations(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """Operation name -> method that answers it."""
        return {
            "CreateFeatureGroup": self.create,
            "DescribeFeatureGroup": self.describe,
            "UpdateFeatureGroup": self.update,
            "DeleteFeatureGroup": self.delete,
            "ListFeatureGroups": self.list_groups,
        }

    def schema(self, name: str) -> Schema:
        """The schema of a group that records may be put into.

        Raises:
            ServiceError: ResourceNotFound; ValidationError while it is being created.
        """
        found = self._schemas.get(name) or self._schemas.get(name.rsplit("/", 1)[-1])
        if found is None:
            raise _missing(name, status=404)
        if time.time() < found.ready_at:
            raise ServiceError("ValidationError", f"Validation Error: FeatureGroup {name} is not in status Created.")
        return found

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """Create a group, which is Creating for a moment."""
        refuse_others("CreateFeatureGroup", request, _CREATE)
        name = request["FeatureGroupName"]
        if name in self._schemas:
            raise resource_in_use(
                f"Resource Already Exists: FeatureGroup with name {name} already exists. Choose a different name."
            )
        self._check(request)
        arn, now = self.context.arn("feature-group", name), self.context.now()
        group = {key: value for key, value in request.items() if key != "Tags"}
        group |= {
            "FeatureGroupArn": arn,
            "CreationTime": now,
            "_id": time.time_ns() // 1000,
            "_ready_at": time.time() + self.context.timing.feature_group_creation,
        }
        if "OfflineStoreConfig" in group:
            storage = group["OfflineStoreConfig"]["S3StorageConfig"]
            place = f"{self.context.account}/sagemaker/{self.context.region}/offline-store"
            folder = f"{name}-{int(now.timestamp())}"
            storage["ResolvedOutputS3Uri"] = f"{storage['S3Uri'].rstrip('/')}/{place}/{folder}/data"
            group["OfflineStoreStatus"] = {"Status": "Active"}
        if group.get("OnlineStoreConfig", {}).get("EnableOnlineStore"):
            group["OnlineStoreConfig"].setdefault("StorageType", "Standard")
        if not self.context.store.insert(KIND, name, group):
            raise resource_in_use(f"Resource Already Exists: FeatureGroup with name {name} already exists.")
        tags.keep(self.context.store, arn, request.get("Tags", []))
        self._schemas[name] = Schema.of(group)
        return {"FeatureGroupArn": arn}

    def _check(self, request: dict[str, Any]) -> None:
        types = {each["FeatureName"]: each["FeatureType"] for each in request["FeatureDefinitions"]}
        if len(types) != len(request["FeatureDefinitions"]):
            raise validation_error("FeatureDefinitions has a FeatureName more than once.")
        _check_names(request["FeatureDefinitions"])
        for key in ("RecordIdentifierFeatureName", "EventTimeFeatureName"):
            if request[key] not in types:
                raise validation_error(f"{key} {request[key]} is not in FeatureDefinitions.")
        if types[request["EventTimeFeatureName"]] not in {"String", "Fractional"}:
            raise validation_error("The EventTime feature must be of type String or Fractional.")
        online, offline = request.get("OnlineStoreConfig", {}), request.get("OfflineStoreConfig")
        if not online.get("EnableOnlineStore") and offline is None:
            raise validation_error("At least one of OnlineStoreConfig and OfflineStoreConfig must be enabled.")
        if online.get("StorageType", "Standard") != "Standard":
            raise not_emulated("CreateFeatureGroup", f"StorageType {online['StorageType']}")
        if offline is not None:
            if offline.get("TableFormat", "Glue") != "Glue":
                raise not_emulated("CreateFeatureGroup", f"TableFormat {offline['TableFormat']}")
            if "RoleArn" not in request:
                raise validation_error("RoleArn is required when OfflineStoreConfig is given.")
            self.context.assume(request["RoleArn"], "FeatureStore")

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """Everything about a group."""
        group = self._group(request["FeatureGroupName"])
        found = {key: value for key, value in group.items() if not key.startswith("_")}
        found["FeatureGroupStatus"] = _status(group)
        found["OnlineStoreTotalSizeBytes"] = self._online.size(group["_id"])
        found["NextToken"] = ""  # required in the answer; all definitions are in it
        return found

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        """Add features, or change how long records are kept."""
        known = frozenset({"FeatureGroupName", "FeatureAdditions", "OnlineStoreConfig"})
        refuse_others("UpdateFeatureGroup", request, known)
        group = self._group(request["FeatureGroupName"])
        additions = request.get("FeatureAdditions", [])
        _check_names(additions)
        names = [each["FeatureName"] for each in [*group["FeatureDefinitions"], *additions]]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise validation_error(f"FeatureGroup already has, or FeatureAdditions repeats: {', '.join(twice)}.")

        def apply(found: dict[str, Any]) -> None:
            found["FeatureDefinitions"] += additions
            if "OnlineStoreConfig" in request:
                found.setdefault("OnlineStoreConfig", {}).update(request["OnlineStoreConfig"])
            found |= {"LastModifiedTime": self.context.now(), "LastUpdateStatus": {"Status": "Successful"}}

        changed = self.context.store.change(KIND, group["FeatureGroupName"], apply)
        self._schemas[group["FeatureGroupName"]] = Schema.of(changed)
        return {"FeatureGroupArn": group["FeatureGroupArn"]}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """Delete a group and its online records. The offline store keeps its files."""
        group = self._group(request["FeatureGroupName"])
        self._schemas.pop(group["FeatureGroupName"], None)
        self.context.store.put("DeletedFeatureGroup", str(group["_id"]), group)  # for rows that are still in the outbox
        self.context.store.delete(KIND, group["FeatureGroupName"])
        tags.forget(self.context.store, group["FeatureGroupArn"])
        self._online.remove_group(group["_id"])
        return {}

    def list_groups(self, request: dict[str, Any]) -> dict[str, Any]:
        """Groups by name, status and time, in pages."""
        if "OfflineStoreStatusEquals" in request:
            raise not_emulated("ListFeatureGroups", "OfflineStoreStatusEquals")
        shown = ("FeatureGroupName", "FeatureGroupArn", "CreationTime", "OfflineStoreStatus")
        items = [
            {key: group[key] for key in shown if key in group} | {"FeatureGroupStatus": _status(group)}
            for group in self.context.store.all(KIND)
        ]
        status = ("FeatureGroupStatusEquals", "FeatureGroupStatus")
        found, token = listing.page(items, request, name="FeatureGroupName", status=status)
        return listing.answer("FeatureGroupSummaries", found, token)

    def with_id(self, group_id: int) -> dict[str, Any] | None:
        """The group, also when deleted, that rows of the outbox belong to."""
        live = (group for group in self.context.store.all(KIND) if group["_id"] == group_id)
        return next(live, None) or self.context.store.get("DeletedFeatureGroup", str(group_id))

    def _group(self, name: str) -> dict[str, Any]:
        found = self.context.store.get(KIND, name.rsplit("/", 1)[-1])
        if found is None:
            raise _missing(name)
        return found


def _check_names(definitions: list[dict[str, Any]]) -> None:
    for each in definitions:
        if each["FeatureName"] in RESERVED:
            raise validation_error(f"FeatureName {each['FeatureName']} is reserved by Feature Store.")
        if "CollectionType" in each:
            raise not_emulated("CreateFeatureGroup", f"CollectionType {each['CollectionType']}")


def _status(group: dict[str, Any]) -> str:
    return "Created" if time.time() >= group["_ready_at"] else "Creating"


def _missing(name: str, status: int = 400) -> ServiceError:
    error = not_found(f"Resource Not Found: Amazon SageMaker can't find a FeatureGroup with name {name}.")
    error.status = status
    return error

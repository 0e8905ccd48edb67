"""The Feature Store runtime. It is called often, so requests are checked by hand and not by the service model."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from local_aws.sagemaker.core.errors import ServiceError, not_emulated
from local_aws.sagemaker.feature_store.feature_groups import FeatureGroups
from local_aws.sagemaker.feature_store.feature_schema import Schema, iso, refused, seconds
from local_aws.sagemaker.feature_store.online_store import OnlineRecord, OnlineStore, Write

_STORES = frozenset({"OnlineStore", "OfflineStore"})
_MOST_READ = 100
_MOST_WRITTEN = 25


class FeatureRecords:
    """PutRecord, GetRecord, DeleteRecord, BatchGetRecord, BatchWriteRecord."""

    def __init__(self, groups: FeatureGroups, online: OnlineStore, wake_offline: Callable[[], None]) -> None:
        self._groups = groups
        self._online = online
        self._wake_offline = wake_offline
        self._operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "PutRecord": self.put,
            "GetRecord": self.get,
            "DeleteRecord": self.delete,
            "BatchGetRecord": self.batch_get,
            "BatchWriteRecord": self.batch_write,
        }

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one runtime operation.

        Raises:
            ServiceError: AWS's refusal, or UnsupportedOperation.
        """
        answer = self._operations.get(operation)
        if answer is None:
            raise not_emulated(operation)
        try:
            return answer(request)
        except KeyError as error:
            raise refused(f"Missing required parameter in input: {error}.") from error
        except (TypeError, AttributeError) as error:
            raise refused(f"A parameter is of the wrong type: {error}.") from error

    def call_json(self, operation: str, request: dict[str, Any]) -> str:
        """Like ``call``, with the answer in JSON. Records are kept in JSON, so whole records need no conversion.

        Raises:
            ServiceError: see ``call``.
        """
        if operation == "GetRecord" and request.keys() == {"FeatureGroupName", "RecordIdentifierValueAsString"}:
            schema = self._online_schema(request["FeatureGroupName"])
            body = self._online.read(schema.group_id, request["RecordIdentifierValueAsString"], time.time())
            return "{}" if body is None else f'{{"Record": {body[0]}}}'
        if operation == "BatchGetRecord" and request.keys() == {"Identifiers"}:
            found = self._whole_records(request["Identifiers"])
            if found is not None:
                return f'{{"Records": [{", ".join(found)}], "Errors": [], "UnprocessedIdentifiers": []}}'
        return json.dumps(self.call(operation, request))

    def _whole_records(self, identifiers: list[dict[str, Any]]) -> list[str] | None:
        """The answer to BatchGetRecord in JSON; None when it has to refuse or select something."""
        plain = {"FeatureGroupName", "RecordIdentifiersValueAsString"}
        if any(each.keys() != plain for each in identifiers):
            return None
        if not 1 <= sum(len(each["RecordIdentifiersValueAsString"]) for each in identifiers) <= _MOST_READ:
            return None
        records, now = [], time.time()
        for each in identifiers:
            try:
                schema = self._online_schema(each["FeatureGroupName"])
            except ServiceError:
                return None
            for record_id in each["RecordIdentifiersValueAsString"]:
                found = self._online.read(schema.group_id, record_id, now)
                if found is not None:
                    named = {
                        "FeatureGroupName": each["FeatureGroupName"],
                        "RecordIdentifierValueAsString": record_id,
                    }
                    records.append(f'{json.dumps(named)[:-1]}, "Record": {found[0]}}}')
        return records

    def put(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write a record: online when its event is later than the stored one, offline always."""
        now = time.time()
        self._write([self._checked(request, request.get("TtlDuration"), now)], now)
        return {}

    def batch_write(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write records of several groups like PutRecord. A refused record does not stop the others.

        An entry's TtlDuration takes precedence over the request's, and this over the group's (API reference).
        """
        entries, now = request["Entries"], time.time()
        if not 1 <= len(entries) <= _MOST_WRITTEN:
            raise refused(f"BatchWriteRecord takes 1 to {_MOST_WRITTEN} entries, and was given {len(entries)}.")
        writes, errors = [], []
        for entry in entries:
            try:
                writes.append(self._checked(entry, entry.get("TtlDuration") or request.get("TtlDuration"), now))
            except ServiceError as error:
                errors.append({"Entry": entry, "ErrorCode": error.code, "ErrorMessage": error.message})
        self._write(writes, now)
        return {"Errors": errors, "UnprocessedEntries": []}

    def _checked(self, entry: dict[str, Any], ttl: dict[str, Any] | None, now: float) -> Write:
        schema = self._groups.schema(entry["FeatureGroupName"])
        online, offline = _stores(schema, entry.get("TargetStores"))
        values = schema.check(entry["Record"])
        event_time = schema.event_seconds(values[schema.event_time])
        record = None
        if online:
            lives = seconds(ttl) if ttl else schema.ttl
            body = json.dumps([{"FeatureName": name, "ValueAsString": value} for name, value in values.items()])
            expires = None if lives is None else event_time + lives
            record = OnlineRecord(values[schema.identifier], event_time, expires, body)
        return Write(schema.group_id, record, _row(values, event_time, now) if offline else None)

    def _write(self, writes: list[Write], now: float) -> None:
        self._online.write(writes, now)
        if any(each.offline for each in writes):
            self._wake_offline()

    def get(self, request: dict[str, Any]) -> dict[str, Any]:
        """The latest record, or an empty answer."""
        schema = self._online_schema(request["FeatureGroupName"])
        record_id, names = request["RecordIdentifierValueAsString"], request.get("FeatureNames")
        return self._read(schema, record_id, names, request.get("ExpirationTimeResponse"))

    def _online_schema(self, name: str) -> Schema:
        schema = self._groups.schema(name)
        if not schema.online:
            raise refused(f"FeatureGroup {schema.name} has no online store.")
        return schema

    def _read(
        self, schema: Schema, record_id: str, names: list[str] | None, with_expiration: str | None
    ) -> dict[str, Any]:
        if not isinstance(record_id, str):
            raise refused("RecordIdentifierValueAsString must be a string.")
        found = self._online.read(schema.group_id, record_id, time.time())
        unknown = [name for name in names or () if name not in schema.types]
        if unknown:
            raise refused(f"FeatureGroup {schema.name} has no feature {', '.join(unknown)}.")
        if found is None:
            return {}
        record: list[dict[str, str]] = json.loads(found[0])
        if names is not None:
            record = [value for value in record if value["FeatureName"] in names]
        if with_expiration == "Enabled" and found[1] is not None:
            return {"Record": record, "ExpiresAt": iso(found[1])}
        return {"Record": record}

    def batch_get(self, request: dict[str, Any]) -> dict[str, Any]:
        """Read records of several groups. One that fails does not stop the others."""
        identifiers = request["Identifiers"]
        asked = sum(len(each["RecordIdentifiersValueAsString"]) for each in identifiers)
        if not 1 <= asked <= _MOST_READ:
            raise refused(f"BatchGetRecord takes 1 to {_MOST_READ} record identifiers, and was given {asked}.")
        records, errors = [], []
        for each in identifiers:
            name = each["FeatureGroupName"]
            for record_id in each["RecordIdentifiersValueAsString"]:
                named = {"FeatureGroupName": name, "RecordIdentifierValueAsString": record_id}
                try:
                    found = self.get({**named, **_asked(each, request)})
                except ServiceError as error:
                    errors.append({**named, "ErrorCode": error.code, "ErrorMessage": error.message})
                    continue
                if found:
                    records.append({**named, **found})
        return {"Records": records, "Errors": errors, "UnprocessedIdentifiers": []}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """Delete a record whose event is earlier than the deletion's (API reference, DeleteRecord)."""
        schema = self._groups.schema(request["FeatureGroupName"])
        online, offline = _stores(schema, request.get("TargetStores"))
        record_id, event = request["RecordIdentifierValueAsString"], request["EventTime"]
        event_time, now = schema.event_seconds(event), time.time()
        values = {schema.identifier: record_id, schema.event_time: event}
        row = _row(values, event_time, now, deleted=True) if offline else None
        mode = request.get("DeletionMode", "SoftDelete")
        if mode not in {"SoftDelete", "HardDelete"}:
            raise refused(f"DeletionMode {mode} is neither SoftDelete nor HardDelete.")
        if mode == "HardDelete" and online:
            if not self._online.remove(schema.group_id, record_id, event_time, row):
                raise refused(f"EventTime {event} is not later than the EventTime of the record in the OnlineStore.")
        else:
            gone = OnlineRecord(record_id, event_time, None, None) if online else None
            self._online.write([Write(schema.group_id, gone, row)], now)
        if offline:
            self._wake_offline()
        return {}


def _asked(identifier: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    return {
        **({"FeatureNames": identifier["FeatureNames"]} if "FeatureNames" in identifier else {}),
        **({"ExpirationTimeResponse": "Enabled"} if request.get("ExpirationTimeResponse") == "Enabled" else {}),
    }


def _stores(schema: Schema, targets: list[str] | None) -> tuple[bool, bool]:
    """Whether to write online, and offline."""
    if targets is None:
        return schema.online, schema.offline
    wanted = set(targets)
    if not wanted or not wanted <= _STORES:
        raise refused(f"TargetStores {targets} are not among {sorted(_STORES)}.")
    online, offline = "OnlineStore" in wanted, "OfflineStore" in wanted
    if (online and not schema.online) or (offline and not schema.offline):
        raise refused(f"FeatureGroup {schema.name} does not have the store named in TargetStores {targets}.")
    return online, offline


def _row(values: dict[str, str], event_time: float, now: float, *, deleted: bool = False) -> str:
    return json.dumps({"values": values, "event_time": event_time, "invoked": now, "deleted": deleted})

"""The SageMaker Feature Store for ingestion: records are read in hundreds and written in batches of twenty-five."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tenant_experience.errors import PlatformError
from tenant_experience.features.ingestion import THREADS, Record, Store

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_featurestore_runtime import SageMakerFeatureStoreRuntimeClient

Entry = dict[str, Any]

# Codes that concern one record, and codes that pass; any other code would affect every record.
_INVALID = frozenset({"ValidationError", "ValidationException"})
_TRANSIENT = frozenset({"InternalFailure", "ServiceUnavailable", "ThrottlingException"})
_UNPROCESSED = "Unprocessed"
_WRITTEN_AT_ONCE = 25
_ATTEMPTS = 6


def runtime_client() -> SageMakerFeatureStoreRuntimeClient:
    """One client for all threads of a process.

    Adaptive retries stay within the service's limits, which differ from account to account: when it throttles, the
    whole client slows down instead of failing records. Our own records are well formed, so botocore need not check
    each of them against its model.
    """
    config = Config(
        max_pool_connections=THREADS,
        retries={"mode": "adaptive", "total_max_attempts": 8},
        connect_timeout=5,
        read_timeout=20,
        tcp_keepalive=True,
        parameter_validation=False,
    )
    return boto3.client("sagemaker-featurestore-runtime", config=config)


class FeatureGroup:
    """One feature group, as the port :class:`tenant_experience.features.ingestion.FeatureStore`.

    Args:
        client: shared by threads.
        name: the group's name.
        record_id: the feature that identifies a record.
        sleep: for tests.
    """

    def __init__(
        self,
        client: SageMakerFeatureStoreRuntimeClient,
        name: str,
        record_id: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._name = name
        self.record_id = record_id
        self._sleep = sleep

    def read(self, ids: Sequence[str]) -> dict[str, Record]:
        """Reads the online records of at most 100 ids.

        Raises:
            PlatformError: ``feature_store_read``; some ids were still unanswered after several attempts.
        """
        found: dict[str, Record] = {}
        left, reason = list(ids), ""
        for attempt in range(_ATTEMPTS):
            identifier = {"FeatureGroupName": self._name, "RecordIdentifiersValueAsString": left}
            answer = cast(dict[str, Any], self._client.batch_get_record(Identifiers=[cast(Any, identifier)]))
            for item in answer["Records"]:
                found[item["RecordIdentifierValueAsString"]] = _record(item)
            left = [i for item in answer["UnprocessedIdentifiers"] for i in item["RecordIdentifiersValueAsString"]]
            left += [item["RecordIdentifierValueAsString"] for item in answer["Errors"]]
            if not left:
                return found
            reason = answer["Errors"][0]["ErrorCode"] if answer["Errors"] else _UNPROCESSED
            self._pause(attempt)
        raise PlatformError(
            f"feature group {self._name}: {len(left)} records could not be read in {_ATTEMPTS} attempts: {reason}",
            code="feature_store_read",
        )

    def write(self, records: Sequence[Record], store: Store) -> dict[str, str]:
        """Writes records to one of the two stores, 25 per call.

        Returns:
            The ids of the records that the store refused, or did not accept in several attempts, with its error codes.

        Raises:
            PlatformError: ``feature_store_write``; an error that would affect every record.
        """
        entries = [self._entry(record, store) for record in records]
        failed: dict[str, str] = {}
        for start in range(0, len(entries), _WRITTEN_AT_ONCE):
            failed |= self._write_entries(entries[start : start + _WRITTEN_AT_ONCE])
        return failed

    def _entry(self, record: Record, store: Store) -> Entry:
        values = [{"FeatureName": name, "ValueAsString": value} for name, value in record.items()]
        return {"FeatureGroupName": self._name, "Record": values, "TargetStores": [store]}

    def _write_entries(self, entries: list[Entry]) -> dict[str, str]:
        failed: dict[str, str] = {}
        again: dict[str, str] = {}
        for attempt in range(_ATTEMPTS):
            refused, again = self._attempt(entries)
            failed |= refused
            entries = [entry for entry in entries if self._id(entry) in again]
            if not entries:
                return failed
            self._pause(attempt)
        return failed | again

    def _attempt(self, entries: list[Entry]) -> tuple[dict[str, str], dict[str, str]]:
        """One call: the codes of the records that were refused, and of those that may be tried again."""
        try:
            answer = cast(dict[str, Any], self._client.batch_write_record(Entries=cast(Any, entries)))
        except ClientError as error:
            return self._refused_call(entries, error), {}
        again = {self._id(entry): _UNPROCESSED for entry in answer["UnprocessedEntries"]}
        refused: dict[str, str] = {}
        for each in answer["Errors"]:
            code = each["ErrorCode"]
            self._check_scope(code, code)
            (again if code in _TRANSIENT else refused)[self._id(each["Entry"])] = code
        return refused, again

    def _refused_call(self, entries: list[Entry], error: ClientError) -> dict[str, str]:
        """The codes of the records of a call that was refused as a whole, after the client's own retries."""
        code = error.response["Error"]["Code"]
        self._check_scope(code, str(error))
        if code in _INVALID and len(entries) > 1:
            failed: dict[str, str] = {}
            for entry in entries:  # one bad record must not fail the others of its call
                failed |= self._write_entries([entry])
            return failed
        return {self._id(entry): code for entry in entries}

    def _check_scope(self, code: str, cause: str) -> None:
        if code not in _INVALID | _TRANSIENT:
            raise PlatformError(f"feature group {self._name}: {cause}", code="feature_store_write")

    def _id(self, entry: Entry) -> str:
        return _record(entry)[self.record_id]

    def _pause(self, attempt: int) -> None:
        """Waits, longer with each attempt, for a random time, so that threads and instances do not retry in step."""
        self._sleep(random.uniform(0.0, min(5.0, 0.2 * 2**attempt)))  # noqa: S311 - no secret


def _record(item: Mapping[str, Any]) -> Record:
    return {value["FeatureName"]: value["ValueAsString"] for value in item["Record"]}

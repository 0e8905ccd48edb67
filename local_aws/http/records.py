"""Answers the Feature Store's record operations quickly, because programs make many of these calls.

PutRecord, GetRecord, BatchGetRecord and BatchWriteRecord in their usual form, with a valid signature and permission,
are answered on the event loop. Every other call (an unusual form, a wrong signature, a refusal) goes through MiniStack
to ``http/sagemaker.py``, which words the refusals. A refused call has changed nothing here, so it can be made again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote

from local_aws.http import sagemaker_iam_actions

Request = dict[str, Any]
# ASGI scope, query, body, actions -> whether the signature is right and the caller may do all of them.
IsAllowed = Callable[[Mapping[str, Any], dict[str, list[str]], bytes, list[sagemaker_iam_actions.Action]], bool]

_GROUP = "/FeatureGroup/"
_BATCH_GET = "/BatchGetRecord"
_BATCH_WRITE = "/BatchWriteRecord"
_SIGNED_FOR_SAGEMAKER = re.compile(
    rb"AWS4-HMAC-SHA256 Credential=\w+/\d{8}/[a-z0-9-]+/sagemaker/aws4_request, "
    rb"SignedHeaders=[a-z0-9;-]+, Signature=\w+"
)
_UNUSUAL_HEADERS = frozenset({b"content-encoding", b"x-amz-target", b"x-amz-content-sha256"})


class Records(Protocol):
    """The service that answers: see ``local_aws.sagemaker.SageMaker``."""

    def feature_store_json(self, operation: str, request: Request) -> str:
        """Answer a record operation in JSON."""


class RecordsHttp:
    """Answers usual calls at once.

    Args:
        records: the feature store.
        refusal: the exception that it raises.
        is_allowed: verifies and authorises.
        account: the owner of the feature groups.
    """

    def __init__(self, records: Records, refusal: type[Exception], is_allowed: IsAllowed, account: str) -> None:
        self._records = records
        self._refusal = refusal
        self._is_allowed = is_allowed
        self._account = account

    @staticmethod
    def may_answer(scope: Mapping[str, Any]) -> bool:
        """Whether this is a record operation, signed for SageMaker in a header."""
        path: str = scope["path"]
        if not path.startswith(_GROUP) and path not in (_BATCH_GET, _BATCH_WRITE):
            return False
        headers = dict(scope["headers"])
        if len(headers) != len(scope["headers"]) or not _UNUSUAL_HEADERS.isdisjoint(headers):
            return False
        return _SIGNED_FOR_SAGEMAKER.fullmatch(headers.get(b"authorization", b"")) is not None

    def answer(self, scope: Mapping[str, Any], body: bytes) -> bytes | None:
        """The JSON of the answer (status 200); None when MiniStack has to handle the call."""
        query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
        path = _GROUP if scope["path"].startswith(_GROUP) else scope["path"]
        read = _READERS.get((scope["method"], path))
        found = read(scope["raw_path"].decode(), query, body) if read else None
        if found is None:
            return None
        operation, request = found
        actions = sagemaker_iam_actions.of_feature_store(operation, request, self._account)
        if not self._is_allowed(scope, query, body, actions):
            return None
        try:
            return self._records.feature_store_json(operation, request).encode()
        except self._refusal:
            return None


Found = tuple[str, Request] | None


def _put(path: str, query: dict[str, list[str]], body: bytes) -> Found:
    """A record and nothing else: no TargetStores, no TtlDuration."""
    group, members = _group(path), _members(body)
    if not group or query or members is None or members.keys() != {"Record"} or not _is_record(members["Record"]):
        return None
    return "PutRecord", {"FeatureGroupName": group, "Record": members["Record"]}


def _get(path: str, query: dict[str, list[str]], body: bytes) -> Found:
    """The whole record: no FeatureNames, no expiry."""
    group, ids = _group(path), query.get("RecordIdentifierValueAsString", [])
    if not group or body or len(query) != 1 or len(ids) != 1 or not ids[0]:
        return None
    return "GetRecord", {"FeatureGroupName": group, "RecordIdentifierValueAsString": ids[0]}


def _batch_get(_path: str, query: dict[str, list[str]], body: bytes) -> Found:
    """Whole records of any groups."""
    members = _members(body)
    if query or members is None or members.keys() != {"Identifiers"} or not isinstance(members["Identifiers"], list):
        return None
    for each in members["Identifiers"]:
        if not isinstance(each, dict) or each.keys() != {"FeatureGroupName", "RecordIdentifiersValueAsString"}:
            return None
        ids = each["RecordIdentifiersValueAsString"]
        if (
            not _is_text(each["FeatureGroupName"])
            or not isinstance(ids, list)
            or not ids
            or not all(map(_is_text, ids))
        ):
            return None
    return ("BatchGetRecord", members) if members["Identifiers"] else None


def _batch_write(_path: str, query: dict[str, list[str]], body: bytes) -> Found:
    """Records of any groups and nothing else, like ``_put``."""
    members = _members(body)
    if query or members is None or members.keys() != {"Entries"} or not isinstance(members["Entries"], list):
        return None
    for each in members["Entries"]:
        if not isinstance(each, dict) or each.keys() != {"FeatureGroupName", "Record"}:
            return None
        if not _is_text(each["FeatureGroupName"]) or not _is_record(each["Record"]):
            return None
    return ("BatchWriteRecord", members) if members["Entries"] else None


# (method, beginning of the path)
_READERS = {
    ("PUT", _GROUP): _put,
    ("GET", _GROUP): _get,
    ("POST", _BATCH_GET): _batch_get,
    ("POST", _BATCH_WRITE): _batch_write,
}


def _group(path: str) -> str:
    return unquote(path.removeprefix(_GROUP))


def _members(body: bytes) -> Request | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _is_record(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(feature, dict)
        and feature.keys() == {"FeatureName", "ValueAsString"}
        and _is_text(feature["FeatureName"])
        and isinstance(feature["ValueAsString"], str)
        for feature in value
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""

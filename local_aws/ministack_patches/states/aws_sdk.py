"""``aws-sdk:`` integrations: member names as in the Java SDK, S3's getObject, and no parameter ignored silently."""

from __future__ import annotations

from typing import Any

from ministack.services import s3
from ministack.services import stepfunctions as sfn

_invoke_other = sfn._invoke_aws_sdk_integration
_GET_OBJECT = "arn:aws:states:::aws-sdk:s3:getObject"
_GET_OBJECT_HEADERS = {
    "content-type": "ContentType",
    "content-encoding": "ContentEncoding",
    "etag": "ETag",
    "last-modified": "LastModified",
    "x-amz-version-id": "VersionId",
}


def install() -> None:
    """Replace the naming of members, and add getObject."""
    sfn._api_name_to_sfn_key = sdk_member_name
    sfn._invoke_aws_sdk_integration = _invoke


def sdk_member_name(name: str) -> str:
    """A service's member name as Step Functions shows it: only a leading acronym loses its capitals.

    ``DBClusterArn`` becomes ``DbClusterArn`` and ``VolumeSizeInGB`` stays, as the getters of the AWS SDK for Java 2 do
    (``Utils.unCapitalize`` of its code generator).
    """
    end = 1
    while end < len(name) and name[end].isupper() and not name[end + 1 : end + 2].islower():
        end += 1
    return name[:1].upper() + name[1:end].lower() + name[end:]


def _invoke(resource: str, arguments: Any) -> Any:
    return _get_object(arguments) if resource == _GET_OBJECT else _invoke_other(resource, arguments)


def _get_object(arguments: dict[str, Any]) -> dict[str, Any]:
    """Read an object. ``Body`` is text, and the whole result must fit into a state's payload."""
    unknown = set(arguments) - {"Bucket", "Key", "VersionId"}
    if unknown:
        raise sfn._ExecutionError("States.Runtime", f"s3:getObject with {sorted(unknown)} is not emulated on a laptop")
    query = {"versionId": [arguments["VersionId"]]} if "VersionId" in arguments else {}
    status, headers, body = s3._get_object(arguments["Bucket"], arguments["Key"], {}, query)
    if status != 200:
        if b"<Code>NoSuchBucket</Code>" in body:
            raise sfn._ExecutionError("S3.NoSuchBucketException", "The specified bucket does not exist")
        if b"<Code>NoSuchKey</Code>" in body:
            raise sfn._ExecutionError("S3.NoSuchKeyException", "The specified key does not exist.")
        raise sfn._ExecutionError("S3.S3Exception", body.decode(errors="replace"))
    content = bytes(body)
    lower = {name.lower(): value for name, value in headers.items()}
    result: dict[str, Any] = {"Body": content.decode(), "ContentLength": len(content)}
    result |= {member: lower[header] for header, member in _GET_OBJECT_HEADERS.items() if header in lower}
    prefix = "x-amz-meta-"
    result["Metadata"] = {name[len(prefix) :]: value for name, value in lower.items() if name.startswith(prefix)}
    return result

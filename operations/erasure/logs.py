"""Erases a tenant from the stack's logs: deletes whole streams, because CloudWatch cannot delete a single event."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3

from operations.erasure.findings import Place
from operations.stack import Stack
from tenant_experience.erasure.id import ErasedId

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

_JOB_GROUPS = tuple(f"/aws/sagemaker/{kind}" for kind in ("ProcessingJobs", "TrainingJobs", "TransformJobs"))


def erase_logs(stack: Stack, erased: ErasedId, *, removes: bool) -> Iterator[Place]:
    """Search every event in the log groups of the stack's functions, jobs, endpoint and API."""
    client = boto3.client("logs")
    own = {*stack.of_type("AWS::Logs::LogGroup"), f"/aws/sagemaker/Endpoints/{stack.project}"}
    own |= {f"/aws/lambda/{function}" for function in stack.of_type("AWS::Lambda::Function")}
    api = f"API-Gateway-Execution-Logs_{stack.outputs['ApiId']}/"
    for page in client.get_paginator("describe_log_groups").paginate():
        for group in (each["logGroupName"] for each in page["logGroups"]):
            if group in own or group.startswith(api):
                yield _search(client, group, "", erased, removes=removes)
            elif group in _JOB_GROUPS:
                yield _search(client, group, f"{stack.project}-", erased, removes=removes)


def _search(client: CloudWatchLogsClient, group: str, prefix: str, erased: ErasedId, *, removes: bool) -> Place:
    place = Place(f"log group {group}", "streams", more={"events": 0, "bytes": 0})
    pages = client.get_paginator("describe_log_streams").paginate(logGroupName=group)
    names = [each["logStreamName"] for page in pages for each in page["logStreams"]]
    for stream in [name for name in names if name.startswith(prefix)]:
        place.units += 1
        found = int(erased.is_in_text(stream.encode())) + _events(client, group, stream, erased, place)
        place.found += found
        if found and removes:
            client.delete_log_stream(logGroupName=group, logStreamName=stream)
            place.removed += found
            place.changes.append(f"stream {erased.blot_out_name(stream)} of {group}: deleted, {found} events")
    return place


def _events(client: CloudWatchLogsClient, group: str, stream: str, erased: ErasedId, place: Place) -> int:
    found, token = 0, ""
    page = client.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
    while True:
        for event in page["events"]:
            message = event["message"].encode()
            place.count("events", 1)
            place.count("bytes", len(message))
            found += erased.is_in_text(message)
        if page["nextForwardToken"] == token:
            return found
        token = page["nextForwardToken"]
        page = client.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, nextToken=token)

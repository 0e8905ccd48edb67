"""The events that are sent to the bus of the account."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from tenant_experience.aws import event_bus
from tenant_experience.errors import PlatformError


def test_an_event_says_its_project_and_one_that_is_not_taken_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROJECT", "te")
    client = boto3.client("events", region_name="us-east-1")
    monkeypatch.setattr(event_bus, "events", lambda: client)
    sent: list[dict[str, Any]] = []
    client.meta.events.register("provide-client-params.*.PutEvents", lambda params, **_: sent.extend(params["Entries"]))
    with Stubber(client) as stub:
        stub.add_response("put_events", {"FailedEntryCount": 0, "Entries": [{}]}, {"Entries": ANY})
        refused = {"FailedEntryCount": 1, "Entries": [{"ErrorMessage": "busy"}]}
        stub.add_response("put_events", refused, {"Entries": ANY})
        event_bus.send("File Scored", {"rows": 3})
        with pytest.raises(PlatformError, match="did not take the event 'File Scored': busy"):
            event_bus.send("File Scored", {"rows": 3})
    assert {(each["Source"], each["DetailType"]) for each in sent} == {("tenant-experience", "File Scored")}
    assert json.loads(sent[0]["Detail"]) == {"project": "te", "rows": 3}

"""What a chat or another program is sent of a notice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tenant_experience.release import webhook

RUN = "https://api.example/v1/runs/20261129-abcdef0?signature=abc-_1"
SUBJECT = "Release 20261129-abcdef0: a job failed (batch <b> & co)"
MESSAGE = f"""Release 20261129-abcdef0 did not go live: a job failed.

What happened
The job that trains the model failed.

The whole run, from its start to its end
{RUN}

For the operator
Execution: arn:aws:states:eu-west-1:123456789012:execution:te:x"""


def sent(form: str, message: str = MESSAGE) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(webhook.body(form, SUBJECT, message, "2026-11-29T10:03:00.000Z"))
    return document


@pytest.mark.parametrize("form", ["slack", "teams", "json"])
def test_a_notice_has_the_page_of_the_run_and_nothing_of_the_operators(form: str) -> None:
    text = json.dumps(sent(form))
    assert text.count(RUN) == 1
    assert "The job that trains the model failed." in text
    assert "arn:" not in text


@pytest.mark.parametrize("form", ["slack", "teams", "json"])
def test_no_link_that_decides_is_posted(form: str) -> None:
    link = "https://api.example/v1/approvals/r/take-back?to=a&signature=b"
    text = json.dumps(sent(form, f"Take it back: {link}\nhttp://evil.example/runs/x\n{RUN}"))
    assert "/approvals/" not in text
    assert "evil" not in text
    assert RUN in text


def test_what_a_chat_would_take_for_markup_is_escaped() -> None:
    assert sent("slack")["text"].startswith("*Release 20261129-abcdef0: a job failed (batch &lt;b&gt; &amp; co)*\n")
    assert f"<{RUN}|The page of the run>" in sent("slack")["text"]
    assert sent("slack")["unfurl_links"] is False


def test_a_card_of_teams_opens_the_page() -> None:
    content = sent("teams")["attachments"][0]["content"]
    assert content["actions"] == [{"type": "Action.OpenUrl", "title": "The page of the run", "url": RUN}]
    assert [block["type"] for block in content["body"]] == ["TextBlock", "RichTextBlock"]
    assert "actions" not in sent("teams", "no link")["attachments"][0]["content"]


def test_json_has_named_fields() -> None:
    document = sent("json")
    assert (document["subject"], document["run_page"]) == (SUBJECT, RUN)
    assert document["sent_at"] == "2026-11-29T10:03:00.000Z"
    assert sent("json", "no link")["run_page"] is None

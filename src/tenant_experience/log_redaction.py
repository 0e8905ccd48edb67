"""What logs leave out: signatures of links, task tokens, API keys and credentials, whoever logs them.

Ids of tenants need no rule here: no message names one, and nothing logs an event, a request or a row as it came.
"""

from __future__ import annotations

import json
import logging
import re

_REDACTED = "(left out of the log)"
# Names of values that let somebody decide, call or sign: query parameters, headers, and keys of JSON.
_SECRETS = (
    *("signature", "x-amz-signature", "x-amz-credential", "x-amz-security-token"),
    *("task_?token", "token", "x-api-key", "api_?key", "authorization"),
    *("secret_?access_?key", "session_?token", "password"),
)
_NAMED_VALUE = re.compile(
    rf"""(?P<name>(?<![\w-])\\?["']?(?:{"|".join(_SECRETS)})\\?["']?\s*[=:]\s*)(?:\\?"[^"\\]*\\?"|'[^']*'|[^\s&,;}}\])"']+(?:\s(?<=Bearer\s)\S+)?)""",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """The text without the values of secrets; their names stay, so that a reader sees what was there."""
    return _NAMED_VALUE.sub(lambda found: f"{found['name']}{_REDACTED}", text)


def redacted_json(log: dict[str, object]) -> str:
    """One line of a function's log; for Powertools' ``Logger(json_serializer=...)``.

    The result stays JSON: redaction happens in the texts, before they are written.
    """
    return json.dumps(_redacted(log), default=str, separators=(",", ":"), ensure_ascii=False)


class RedactingFormatter(logging.Formatter):
    """Formats a job's log, tracebacks included, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """As the base class does."""
        return redact(super().format(record))


def _redacted(value: object, name: str = "") -> object:
    if isinstance(value, dict):
        return {key: _redacted(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted(inner) for inner in value]
    if re.fullmatch("|".join(_SECRETS), name, re.IGNORECASE):
        return _REDACTED
    return redact(value) if isinstance(value, str) else value

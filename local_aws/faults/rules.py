"""Failure on demand: rules that say which calls, functions, jobs and endpoints fail, how, and how often.

Rules come in over ``/_local/faults`` (see README.md) and are kept in memory. They are asked where requests and
processes begin. Without rules this costs one look at an empty tuple.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import UnknownServiceError

from local_aws.http.service_model import service_model

SUBJECTS = ("operation", "function", "job", "endpoint")
_FAILURES = frozenset({"error", "delay_seconds", "lose_answer"})
_EFFECTS = {
    "operation": _FAILURES,
    "function": _FAILURES,
    "job": frozenset({"kill_after_seconds"}),
    "endpoint": frozenset({"unhealthy"}),
}
_LIMITS = frozenset({"skip", "times", "for_seconds"})
_NUMBERS = ("skip", "times", "for_seconds", "delay_seconds", "kill_after_seconds")


class RuleError(Exception):
    """A rule is not valid, or can never match. The text says which rule, and why."""


class FaultError(Exception):
    """Raised by a call within this process when a rule makes it fail."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass
class Rule:
    """One rule, and what it has done so far.

    Attributes:
        document: as it was given.
        subject: one of SUBJECTS.
        name: ``service:Operation``, or a pattern of names.
        matched: how many calls it matched.
        fired: how many of them it made fail.
    """

    document: dict[str, Any]
    subject: str
    name: str
    matched: int = 0
    fired: int = 0
    _first_fired: float = field(default=0.0, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def code(self) -> str | None:
        """The error's code; None when the call is only delayed."""
        error = self.document.get("error")
        return None if error is None else str(error["code"])

    @property
    def message(self) -> str:
        """The error's sentence."""
        return str(self.document["error"].get("message", "A rule of /_local/faults made this call fail."))

    @property
    def status(self) -> int:
        """The error's HTTP status."""
        return int(self.document["error"].get("status", 400))

    @property
    def delay(self) -> float:
        """Seconds by which the call is delayed, whether it fails or not."""
        return float(self.document.get("delay_seconds", 0))

    @property
    def loses_answer(self) -> bool:
        """Whether the call takes effect, and only its answer is lost."""
        return bool(self.document.get("lose_answer"))

    @property
    def kill_after(self) -> float:
        """Seconds after which a process is killed; 0 for the container of an unhealthy endpoint."""
        return float(self.document.get("kill_after_seconds", 0))

    def is_about(self, name: str, members: Any) -> bool:
        """Whether the rule is about a call or a process of this name, with these request members."""
        named = name == self.name if self.subject == "operation" else fnmatchcase(name, self.name)
        wanted: Mapping[str, Any] = self.document.get("match", {})
        return named and all(_holds(members, path.split("."), patterns) for path, patterns in wanted.items())

    def take(self) -> bool:
        """Count a match, and say whether this call fails."""
        with self._lock:
            self.matched += 1
            now = time.monotonic()
            seconds = self.document.get("for_seconds")
            spent = (
                self.matched <= self.document.get("skip", 0)
                or self.fired >= self.document.get("times", float("inf"))
                or (seconds is not None and self.fired > 0 and now - self._first_fired > seconds)
            )
            if spent:
                return False
            self._first_fired = self._first_fired if self.fired else now
            self.fired += 1
            return True

    def shown(self) -> dict[str, Any]:
        """The rule as GET shows it."""
        return {**self.document, "matched": self.matched, "fired": self.fired}


class Faults:
    """The rules of one server. ``rules`` is usually empty, so callers look at it first."""

    def __init__(self) -> None:
        self.rules: tuple[Rule, ...] = ()

    def replace(self, document: Any) -> None:
        """Replace the rules.

        Raises:
            RuleError: a rule is not valid, or can never match. Then nothing changes.
        """
        if not isinstance(document, list):
            raise RuleError("Send a JSON list of rules.")
        self.rules = tuple(_rule(number, each) for number, each in enumerate(document, start=1))

    def find(self, subject: str, name: str, members: Any = None) -> Rule | None:
        """The first rule that makes this call or process fail; None when it succeeds."""
        for rule in self.rules:
            if rule.subject == subject and rule.is_about(name, members) and rule.take():
                return rule
        return None

    def perform(self, service: str, operation: str, members: Any, call: Callable[[], Any]) -> Any:
        """Make a call within this process, unless a rule makes it fail.

        Raises:
            FaultError: the rule's error.
        """
        rule = self.find("operation", f"{service}:{operation}", members)
        if rule is None:
            return call()
        time.sleep(rule.delay)
        if rule.code is None:
            return call()
        if rule.loses_answer:
            call()
        raise FaultError(rule.code, rule.message, rule.status)

    def answer(self, method: str, body: bytes) -> tuple[int, Any]:
        """Status and JSON of a request to ``/_local/faults``: GET shows the rules, PUT replaces, DELETE removes."""
        if method == "PUT":
            try:
                self.replace(json.loads(body or b"null"))
            except ValueError as error:
                return 400, {"message": f"The body is not JSON: {error}"}
            except RuleError as error:
                return 400, {"message": str(error)}
        elif method == "DELETE":
            self.rules = ()
        elif method != "GET":
            return 405, {"message": "Use GET to show the rules, PUT to replace them, DELETE to remove them."}
        return 200, [rule.shown() for rule in self.rules]


def _rule(number: int, document: Any) -> Rule:
    where = f"Rule {number}"
    if not isinstance(document, dict):
        raise RuleError(f"{where} is not an object.")
    subjects = [subject for subject in SUBJECTS if subject in document]
    if len(subjects) != 1:
        raise RuleError(f"{where} needs exactly one of {', '.join(SUBJECTS)}.")
    subject, name = subjects[0], document[subjects[0]]
    if not isinstance(name, str) or not name:
        raise RuleError(f"{where}: {subject} must be a text that is not empty.")
    effects = _EFFECTS[subject]
    known = {subject, *effects, *_LIMITS} | ({"match"} if "error" in effects else set())
    if unknown := sorted(set(document) - known):
        raise RuleError(
            f"{where} about {subject} {name} cannot have {', '.join(unknown)}; it may have {sorted(known)}."
        )
    if not effects & set(document):
        raise RuleError(f"{where} does nothing: give it {' or '.join(sorted(effects))}.")
    _check_values(where, document)
    if subject == "operation":
        _check_operation(where, name, document.get("match", {}))
    return Rule(document, subject, name)


def _check_values(where: str, document: dict[str, Any]) -> None:
    for key in _NUMBERS:
        value = document.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise RuleError(f"{where}: {key} must be a number, 0 or more.")
    error = document.get("error")
    if error is not None and (not isinstance(error, dict) or not isinstance(error.get("code"), str)):
        raise RuleError(f'{where}: error needs a code, for example {{"code": "ThrottlingException", "status": 400}}.')
    if error is not None and (unknown := sorted(set(error) - {"code", "message", "status"})):
        raise RuleError(f"{where}: error cannot have {', '.join(unknown)}.")
    if "lose_answer" in document and error is None:
        raise RuleError(f"{where}: lose_answer needs the error that the caller gets instead of the answer.")
    if not isinstance(document.get("match", {}), dict):
        raise RuleError(f'{where}: match must be an object, for example {{"TopicArn": "*release*"}}.')
    for key in ("lose_answer", "unhealthy"):
        if document.get(key, True) is not True:
            raise RuleError(f"{where}: {key} can only be true.")


def _check_operation(where: str, name: str, match: Mapping[str, Any]) -> None:
    service, _, operation = name.partition(":")
    try:
        model = service_model(service)
    except UnknownServiceError:
        raise RuleError(f"{where}: there is no service {service!r}; write service:Operation as boto3 does.") from None
    if operation not in model.operation_names:
        raise RuleError(f"{where}: {service} has no operation {operation!r}.")
    shape = model.operation_model(operation).input_shape
    members = set(shape.members) if shape else set()
    if unknown := sorted(path for path in match if path.split(".")[0] not in members):
        raise RuleError(f"{where}: {name} has no request member {', '.join(unknown)}.")


def _holds(value: Any, path: list[str], patterns: Any) -> bool:
    """Whether a member of a request, found by its path, matches a pattern or one of a list of patterns.

    The path goes on in every element of a list, and by name in a list of names and values (``Record`` of PutRecord,
    ``Tags``).
    """
    if isinstance(value, list):
        named = _by_name(value)
        return (named is not None and _holds(named, path, patterns)) or any(
            _holds(item, path, patterns) for item in value
        )
    if path:
        return isinstance(value, Mapping) and path[0] in value and _holds(value[path[0]], path[1:], patterns)
    allowed = patterns if isinstance(patterns, list) else [patterns]
    return any(fnmatchcase(str(value), str(pattern)) for pattern in allowed)


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    for name, content in (("FeatureName", "ValueAsString"), ("Key", "Value"), ("Name", "Value")):
        if items and all(isinstance(item, dict) and name in item and content in item for item in items):
            return {str(item[name]): item[content] for item in items}
    return None

"""Calls the targets of schedules that are due, again while they fail, and keeps what failed for good.

MiniStack looks every ten seconds, in UTC, and forgets after a restart that a schedule has run. One schedule that it
cannot read stops all others. Here each schedule is looked at on its own, every second. What was due while the server
was down is not made up for, except a schedule's only moment.
"""

from __future__ import annotations

import copy
import json
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ministack.core.responses import new_uuid, set_request_account_id, set_request_region
from ministack.services import scheduler

from local_aws.ministack_patches.scheduler import expressions, targets

logger = logging.getLogger("schedules")

Schedule = dict[str, Any]
Key = tuple[str, str, str]  # account, region, group and name

_DONE = "_Completed"  # in the record, so that it is kept
_EARLIER_S = 0.001
_LOOK_EVERY_S = 1
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 300.0
_RETRIES, _AGE_S = 185, 86400  # unless the schedule says otherwise


@dataclass
class _Attempt:
    key: Key
    schedule: Schedule
    scheduled: float
    number: int
    at: float


_server_began = time.time()
_due: dict[Key, tuple[float, float | None]] = {}  # when a schedule was changed, and when it is due next
_attempts: list[_Attempt] = []
_listeners: list[Callable[[], None]] = []


def install() -> None:
    """Look at schedules instead of MiniStack."""
    scheduler._tick_schedules = tick
    scheduler._SCHEDULE_TICK_INTERVAL = _LOOK_EVERY_S


def listen(listener: Callable[[], None]) -> None:
    """Call ``listener`` after a schedule has changed by itself or started something."""
    _listeners.append(listener)


def tick(now: float | None = None) -> None:
    """Call the targets of all schedules that are due.

    Args:
        now: seconds since 1970; the clock's when not given.
    """
    moment = time.time() if now is None else now
    for key, schedule in list(scheduler._schedules._data.items()):
        try:
            _look_at(key, schedule, moment)
        except Exception:
            logger.exception("Schedule %s", key)
    waiting = [attempt for attempt in _attempts if attempt.at <= moment]
    for attempt in waiting:
        _attempts.remove(attempt)
        try:
            _try(attempt, moment)
        except Exception:
            logger.exception("Schedule %s", attempt.key)
    if waiting:
        for listener in _listeners:
            listener()


def _look_at(key: Key, schedule: Schedule, now: float) -> None:
    if schedule.get("State") != "ENABLED" or schedule.get(_DONE):
        return
    times = expressions.parse(schedule["ScheduleExpression"], schedule.get("ScheduleExpressionTimezone") or "UTC")
    begin = scheduler._to_epoch(schedule.get("StartDate")) or schedule["CreationDate"]
    end = scheduler._to_epoch(schedule.get("EndDate"))
    changed, due = _due.get(key, (-1.0, None))
    if changed != schedule["LastModificationDate"]:
        changed = schedule["LastModificationDate"]
        earliest = 0.0 if times.is_once else max(changed - _EARLIER_S, begin - _EARLIER_S, _server_began)
        due = times.after(earliest, begin)
        _due[key] = (changed, due)
    if end is not None and (due or now) > end:
        due = None
    if due is not None and due <= now:
        _due[key] = (changed, times.after(now, begin))
        _attempts.append(_Attempt(key, copy.deepcopy(schedule), due, 1, now))
    if (times.is_once and due is not None and due <= now) or (end is not None and now > end):
        _complete(key, schedule)


def _complete(key: Key, schedule: Schedule) -> None:
    if schedule.get("ActionAfterCompletion") == "DELETE":
        scheduler._schedules._data.pop(key, None)
        _due.pop(key, None)
    else:
        schedule[_DONE] = True


def _try(attempt: _Attempt, now: float) -> None:
    account, region, _name = attempt.key
    set_request_account_id(account)
    set_request_region(region)
    target, name = attempt.schedule["Target"], attempt.schedule["Name"]
    execution = secrets.token_hex(8)
    payload = _payload(attempt, execution)
    try:
        targets.call(target, payload, name)
    except targets.TargetError as error:
        logger.warning("Schedule %s, attempt %d: %s: %s", name, attempt.number, error.code, error)
        pause = min(_FIRST_PAUSE_S * 2 ** (attempt.number - 1), _LONGEST_PAUSE_S)
        exhausted = _exhausted(attempt, now + pause)
        if exhausted is None:
            _attempts.append(replace(attempt, number=attempt.number + 1, at=now + pause))
        elif (target.get("DeadLetterConfig") or {}).get("Arn"):
            targets.send_dead_letter(target, payload, _attributes(attempt, execution, error, exhausted), name)


def _exhausted(attempt: _Attempt, then: float) -> str | None:
    """The limit that a further attempt would exceed."""
    policy = attempt.schedule["Target"].get("RetryPolicy") or {}
    if attempt.number > int(policy.get("MaximumRetryAttempts", _RETRIES)):
        return "MaximumRetryAttempts"
    if then - attempt.scheduled > int(policy.get("MaximumEventAgeInSeconds", _AGE_S)):
        return "MaximumEventAgeInSeconds"
    return None


def _attributes(attempt: _Attempt, execution: str, error: targets.TargetError, exhausted: str) -> dict[str, str]:
    """What a dead letter says beside its payload.

    Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
    """
    return {
        "ERROR_CODE": error.code,
        "ERROR_MESSAGE": str(error),
        "EXECUTION_ID": execution,
        "EXHAUSTED_RETRY_CONDITION": exhausted,
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": str(attempt.number - 1),
        "SCHEDULED_TIME": _written(attempt.scheduled),
        "SCHEDULE_ARN": attempt.schedule["Arn"],
        "TARGET_ARN": attempt.schedule["Target"]["Arn"],
    }


def _payload(attempt: _Attempt, execution: str) -> str:
    """The target's input with its context attributes replaced, or AWS's own event when there is none."""
    schedule = attempt.schedule
    text = schedule["Target"].get("Input") or _own_event(attempt)
    for name, value in {
        "schedule-arn": schedule["Arn"],
        "scheduled-time": _written(attempt.scheduled),
        "execution-id": execution,
        "attempt-number": str(attempt.number),
    }.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return str(text)


def _own_event(attempt: _Attempt) -> str:
    account, region, _name = attempt.key
    return json.dumps(
        {
            "version": "0",
            "id": new_uuid(),
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": account,
            "time": _written(attempt.scheduled),
            "region": region,
            "resources": [attempt.schedule["Arn"]],
            "detail": "{}",
        }
    )


def _written(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

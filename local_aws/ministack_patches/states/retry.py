"""Retry and Catch as on AWS: MaxDelaySeconds, JitterStrategy, and the errors that nothing catches."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from ministack.services import stepfunctions as sfn

from local_aws.ministack_patches.states import fields, running

_MAX_INTERVAL_S = 31_622_400  # 366 days, the largest MaxDelaySeconds
_random = random.Random()  # noqa: S311 jitter, not a secret

Outcome = tuple[Any, str | None]


def install() -> None:
    """Replace MiniStack's retry loop, sleep and error matching."""
    sfn._with_retry_and_catch = with_retry_and_catch
    sfn._error_matches = error_matches
    sfn._scaled_sleep = running.scaled_sleep


def error_matches(error_equals: list[str], error: str) -> bool:
    """Whether a retrier or catcher matches an error name.

    Nothing matches States.Runtime, and only its own name matches States.DataLimitExceeded. States.TaskFailed matches
    every other error except States.Timeout.
    Source: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    """
    if error == "States.Runtime":
        return False
    if error in error_equals:
        return True
    if error == "States.DataLimitExceeded":
        return False
    return "States.ALL" in error_equals or ("States.TaskFailed" in error_equals and error != "States.Timeout")


def first_match(handlers: list[dict[str, Any]], error: str) -> tuple[int, dict[str, Any] | None]:
    """The first retrier or catcher that matches an error name, with its position; ``(-1, None)`` when none does."""
    found = ((n, each) for n, each in enumerate(handlers) if error_matches(each.get("ErrorEquals", []), error))
    return next(found, (-1, None))


def delay_seconds(retrier: dict[str, Any], retries_so_far: int) -> float:
    """Seconds before the next attempt."""
    interval = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** retries_so_far
    delay = min(float(interval), float(retrier.get("MaxDelaySeconds", _MAX_INTERVAL_S)))
    return _random.uniform(0, delay) if retrier.get("JitterStrategy") == "FULL" else delay


def with_retry_and_catch(
    state: dict[str, Any], raw_input: Any, context: dict[str, Any], attempt: Callable[[], Outcome]
) -> Outcome:
    """Run ``attempt`` under a state's Retry and Catch.

    Returns:
        The state's output and the next state's name.

    Raises:
        sfn._ExecutionError: an error that nothing caught.
    """
    entered = context["State"]
    retries: dict[int, int] = {}
    while True:
        # Branches share the context and leave their own State in it; each attempt starts from this one's, counted.
        context["State"] = {**entered, "RetryCount": sum(retries.values())}
        try:
            return attempt()
        except sfn._ExecutionError as error:
            running.current().check()
            index, retrier = first_match(state.get("Retry", []), error.error)
            # The first retrier that matches decides: when it has used its attempts there is no retry.
            if retrier is not None and retries.get(index, 0) < retrier.get("MaxAttempts", 3):
                delay = delay_seconds(retrier, retries.get(index, 0))
                retries[index] = retries.get(index, 0) + 1
                running.scaled_sleep(delay)
                continue
            _, catcher = first_match(state.get("Catch", []), error.error)
            if catcher is None:
                raise
            output = sfn._apply_catcher(
                catcher,
                raw_input,
                context,
                "JSONata" if fields.is_jsonata(state, context) else "JSONPath",
                {"Error": error.error, "Cause": error.cause},
            )
            return output, catcher["Next"]

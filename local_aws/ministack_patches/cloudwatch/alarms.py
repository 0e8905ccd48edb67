"""CloudWatch's metric alarms: one metric with its dimensions, its last periods, and what missing data mean.

MiniStack evaluates an alarm when somebody calls PutMetricData, over all dimensions and all periods together, and never
while data are missing. Here every alarm is evaluated every few seconds too. The periods end now instead of at whole
minutes, so that an alarm goes off within seconds. Data are looked for in two periods more than the alarm evaluates.
"""

from __future__ import annotations

import logging
import operator
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from ministack.core.responses import set_request_account_id, set_request_region
from ministack.services import cloudwatch

from local_aws.ministack_patches.cloudwatch.alarm_state import decide

logger = logging.getLogger("alarms")

_LOOK_EVERY_S = 2.0
_MORE_PERIODS = 2  # how much further back than EvaluationPeriods data are looked for
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_NOT_EMULATED = ("Metrics", "ThresholdMetricId", "EvaluateLowSampleCountPercentile", "EvaluationCriteria")
_put_metric_alarm = cloudwatch._put_metric_alarm
_evaluating = threading.RLock()
_listeners: list[Callable[[], None]] = []


def install() -> None:
    """Replace the evaluation, and evaluate in a thread of its own too."""
    cloudwatch._evaluate_alarm = _evaluate
    cloudwatch._put_metric_alarm = _put_or_refuse
    threading.Thread(target=_run, name="alarms", daemon=True).start()


def listen(listener: Callable[[], None]) -> None:
    """Call ``listener`` after an alarm has changed its state by itself."""
    _listeners.append(listener)


def _run() -> None:
    while True:
        time.sleep(_LOOK_EVERY_S)
        for (account, region, name), alarm in list(cloudwatch._alarms.all_items()):
            set_request_account_id(account)
            set_request_region(region)
            before = alarm["StateValue"]
            try:
                _evaluate(alarm)
            except Exception:
                logger.exception("Alarm %s was not evaluated", name)
            if alarm["StateValue"] != before:
                for listener in _listeners:
                    listener()


def _put_or_refuse(params: Any, cbor_data: Any, is_cbor: bool, is_json: bool = False) -> Any:
    given = cbor_data if is_cbor or is_json else {str(key).partition(".")[0] for key in params}
    refused = [name for name in _NOT_EMULATED if name in (given or ())]
    if refused:
        return cloudwatch._error(
            "InvalidParameterValue",
            f"PutMetricAlarm does not emulate {', '.join(refused)}",
            400,
            use_json=is_json,
            use_cbor=is_cbor,
        )
    return _put_metric_alarm(params, cbor_data, is_cbor, is_json)


def _evaluate(alarm: dict[str, Any]) -> None:
    """Set an alarm's state, and do what it says about the new state."""
    if not alarm.get("Namespace") or not alarm.get("MetricName"):
        return
    with _evaluating:
        old = alarm["StateValue"]
        values = _values(alarm, time.time())
        compare, threshold = _OPERATORS[alarm["ComparisonOperator"]], float(alarm["Threshold"])
        breaching = [None if value is None else compare(value, threshold) for value in values]
        new = decide(
            breaching,
            periods=alarm["EvaluationPeriods"],
            needed=alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"],
            missing=alarm.get("TreatMissingData") or "missing",
            now=old,
        )
        if new == old:
            return
        reason = _reason(alarm, new, [value for value in values if value is not None])
        alarm.update(StateValue=new, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
        cloudwatch._record_history(alarm["AlarmName"], old, new, reason)
        cloudwatch._dispatch_alarm_actions(alarm, old, new, reason)
        cloudwatch._evaluate_parent_alarms(alarm)


def _values(alarm: dict[str, Any], now: float) -> list[float | None]:
    """The statistic of each period, the latest first; None without data."""
    dimensions = cloudwatch._dims_from_list(alarm.get("Dimensions") or [])
    key = (alarm["Namespace"], alarm["MetricName"], cloudwatch._dims_key(dimensions))
    unit, period = alarm.get("Unit"), alarm["Period"]
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    points: list[list[dict[str, Any]]] = [[] for _ in range(alarm["EvaluationPeriods"] + _MORE_PERIODS)]
    for point in list(cloudwatch._metrics.get(key) or []):
        place = int(max(now - point["Timestamp"], 0) // period)
        if place < len(points) and (not unit or point["Unit"] == unit):
            points[place].append(point)
    return [
        cloudwatch._stat_value(cloudwatch._calc_stats(found), statistic, found) if found else None for found in points
    ]


def _reason(alarm: dict[str, Any], state: str, values: Sequence[float]) -> str:
    if state == "INSUFFICIENT_DATA" or not values:
        return f"No datapoints were received for {alarm['EvaluationPeriods']} period(s), TreatMissingData decides"
    shown = ", ".join(str(value) for value in values)
    return f"Threshold Crossed: datapoints [{shown}] against {alarm['ComparisonOperator']} {alarm['Threshold']}"

"""CloudWatch's metric alarms: one metric with its dimensions, its last periods, and what missing data mean.

MiniStack evaluates an alarm when somebody calls PutMetricData, over all dimensions and all periods together, and never
while data are missing. Here every alarm is evaluated every few seconds too. The periods end now instead of at whole
minutes, so that an alarm goes off within seconds. Data are looked for in two periods more than the alarm evaluates.
"""

from __future__ import annotations

import json
import logging
import operator
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from ministack.core.responses import set_request_account_id, set_request_region
from ministack.services import cloudwatch, eventbridge

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
_STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
_PERCENTILE = re.compile(r"p\d{1,2}(\.\d+)?|p100")
_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
_put_metric_alarm = cloudwatch._put_metric_alarm
_put_of_template = cloudwatch.cloudformation_put_metric_alarm
_dispatch_actions = cloudwatch._dispatch_alarm_actions
_evaluating = threading.RLock()
_listeners: list[Callable[[], None]] = []


def install() -> None:
    """Replace the evaluation, and evaluate in a thread of its own too."""
    cloudwatch._evaluate_alarm = _evaluate
    cloudwatch._put_metric_alarm = _put_or_refuse
    cloudwatch.cloudformation_put_metric_alarm = _put_of_template_or_refuse
    cloudwatch._dispatch_alarm_actions = _tell_and_act
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
    if is_cbor or is_json:
        given = cbor_data
    else:
        given = {name: cloudwatch._p(params, name) for name in ("ComparisonOperator", "Statistic", "ExtendedStatistic")}
        given |= {str(key).partition(".")[0]: [] for key in params if "." in str(key)}
    faults = _not_emulated(given)
    if faults:
        sentence = f"PutMetricAlarm does not emulate {', '.join(faults)}"
        return cloudwatch._error("InvalidParameterValue", sentence, 400, use_json=is_json, use_cbor=is_cbor)
    return _put_metric_alarm(params, cbor_data, is_cbor, is_json)


def _put_of_template_or_refuse(alarm: dict[str, Any]) -> None:
    faults = _not_emulated(alarm)
    if faults:
        raise ValueError(f"AWS::CloudWatch::Alarm does not emulate {', '.join(faults)}")
    _put_of_template(alarm)


def _not_emulated(alarm: dict[str, Any]) -> list[str]:
    """What an alarm asks for that would not happen here."""
    faults = [name for name in _NOT_EMULATED if name in alarm]
    if not faults and alarm.get("ComparisonOperator") not in _OPERATORS:
        faults.append(f"ComparisonOperator {alarm.get('ComparisonOperator')}")
    extended = alarm.get("ExtendedStatistic")
    if extended and not _PERCENTILE.fullmatch(extended):
        faults.append(f"ExtendedStatistic {extended}")
    if alarm.get("Statistic") and alarm["Statistic"] not in _STATISTICS:
        faults.append(f"Statistic {alarm['Statistic']}")
    actions = [action for key in _ACTIONS for action in alarm.get(key) or []]
    return faults + [f"the action {action}" for action in actions if not cloudwatch._is_sns_action_arn(action)]


def _tell_and_act(alarm: dict[str, Any], old_state: str, new_state: str, reason: str) -> None:
    """Put the event of the new state on the default bus, and do what the alarm says."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000+0000", time.gmtime())
    detail = {
        "alarmName": alarm["AlarmName"],
        "state": {"value": new_state, "reason": reason, "timestamp": now},
        "previousState": {"value": old_state},
        "configuration": _configuration(alarm),
    }
    entry = {
        "Source": "aws.cloudwatch",
        "DetailType": "CloudWatch Alarm State Change",
        "Detail": json.dumps(detail),
        "Resources": [alarm["AlarmArn"]],
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
    _dispatch_actions(alarm, old_state, new_state, reason)


def _configuration(alarm: dict[str, Any]) -> dict[str, Any]:
    if not alarm.get("MetricName"):
        return {"alarmRule": alarm.get("AlarmRule", "")}
    dimensions = cloudwatch._dims_from_list(alarm.get("Dimensions") or [])
    metric = {"namespace": alarm["Namespace"], "name": alarm["MetricName"], "dimensions": dimensions}
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic")
    measured = {"metric": metric, "period": alarm["Period"], "stat": statistic}
    return {
        "description": alarm.get("AlarmDescription", ""),
        "metrics": [{"id": "m1", "metricStat": measured, "returnData": True}],
    }


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

"""The state of an alarm whose data are complete, or partly or wholly missing.

The last periods that have data count. What then is missing is filled as the alarm says. This is the table of
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

from collections.abc import Sequence


def decide(breaching: Sequence[bool | None], *, periods: int, needed: int, missing: str, now: str) -> str:
    """The state of an alarm.

    Args:
        breaching: for each period, the latest first, whether its value breaches; None without data.
        periods: EvaluationPeriods.
        needed: DatapointsToAlarm.
        missing: TreatMissingData.
        now: the state that it has.
    """
    known = [each for each in breaching if each is not None][:periods]
    absent = periods - len(known)
    bad = sum(known)
    if missing == "breaching":
        return "ALARM" if bad + absent >= needed else "OK"
    if missing == "notBreaching":
        return "ALARM" if bad >= needed else "OK"
    if bad >= needed:
        return "ALARM"
    if bad < len(known):
        return "OK"
    if missing == "ignore":
        return now
    return "ALARM" if known else "INSUFFICIENT_DATA"

"""What missing data mean: the two tables of the user guide, the oldest period first, as they are printed there."""

from __future__ import annotations

import pytest

from local_aws.ministack_patches.cloudwatch.alarm_state import decide

KEPT = "as it was"
WAYS = ("missing", "ignore", "breaching", "notBreaching")


@pytest.mark.parametrize(
    ("needed", "data", "states"),
    [
        (3, "0-X-X", ("OK", "OK", "OK", "OK")),
        (3, "----0", ("OK", "OK", "OK", "OK")),
        (3, "-----", ("INSUFFICIENT_DATA", KEPT, "ALARM", "OK")),
        (3, "0XX-X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        (3, "--X--", ("ALARM", KEPT, "ALARM", "OK")),
        (2, "0-X-X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        (2, "00X0X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        (2, "0-X--", ("OK", "OK", "ALARM", "OK")),
        (2, "----0", ("OK", "OK", "ALARM", "OK")),
        (2, "---X-", ("ALARM", KEPT, "ALARM", "OK")),
    ],
)
def test_the_tables_of_the_guide(needed: int, data: str, states: tuple[str, ...]) -> None:
    latest_first = [{"0": False, "X": True}.get(each) for each in reversed(data)]
    found = [decide(latest_first, periods=3, needed=needed, missing=way, now=KEPT) for way in WAYS]
    assert tuple(found) == states

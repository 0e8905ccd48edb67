"""When schedules are due: rates, one moment, and calendar rules in a time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from local_aws.ministack_patches.scheduler.expressions import ExpressionError, parse


def moments(expression: str, after: str, count: int, zone: str = "UTC") -> list[str]:
    times, place = parse(expression, zone), ZoneInfo(zone)
    moment: float | None = datetime.fromisoformat(after).replace(tzinfo=place).timestamp()
    found = []
    for _ in range(count):
        assert moment is not None
        moment = times.after(moment, moment)
        if moment is None:
            break
        found.append(datetime.fromtimestamp(moment, place).isoformat(timespec="minutes")[:16])
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 2 * * ? *)", ["2026-03-01T02:00", "2026-03-02T02:00"]),
        ("cron(0/20 8-9 ? * MON-FRI *)", ["2026-03-02T08:00", "2026-03-02T08:20"]),
        ("cron(15 10 L * ? *)", ["2026-03-31T10:15", "2026-04-30T10:15"]),
        ("cron(0 0 LW * ? *)", ["2026-03-31T00:00", "2026-04-30T00:00"]),
        ("cron(0 0 1W * ? *)", ["2026-03-02T00:00", "2026-04-01T00:00"]),
        ("cron(0 0 ? * 6L *)", ["2026-03-27T00:00", "2026-04-24T00:00"]),
        ("cron(0 0 ? * TUE#2 *)", ["2026-03-10T00:00", "2026-04-14T00:00"]),
        ("cron(0 0 29 FEB ? *)", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("cron(0 9 1 1,7 ? 2026-2027)", ["2026-07-01T09:00", "2027-01-01T09:00"]),
        ("at(2026-03-05T06:07:08)", ["2026-03-05T06:07"]),
    ],
)
def test_moments(expression: str, expected: list[str]) -> None:
    assert moments(expression, "2026-03-01T00:00:01", 2) == expected


def test_a_time_zone_moves_the_moment_with_its_summer_time() -> None:
    in_zone = moments("cron(0 2 * * ? *)", "2026-03-27T12:00", 3, "Europe/Berlin")
    assert in_zone == ["2026-03-28T02:00", "2026-03-30T02:00", "2026-03-31T02:00"]  # there is no 02:00 on the 29th
    once = moments("cron(30 2 * * ? *)", "2026-10-24T12:00", 2, "Europe/Berlin")
    assert once == ["2026-10-25T02:30", "2026-10-26T02:30"]  # 02:30 comes twice on the 25th
    new_year = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert parse("cron(0 2 * * ? *)", "Europe/Berlin").after(new_year, 0) == new_year + 3600


def test_a_rate_begins_at_once_and_counts_from_its_start() -> None:
    times = parse("rate(5 minutes)", "UTC")
    assert times.after(99.0, 100.0) == 100.0
    assert times.after(100.0, 100.0) == 400.0
    assert times.after(1234.0, 100.0) == 1300.0
    assert all(later > earlier for earlier, later in pairwise([times.after(m, 0.0) for m in (1.0, 301.0, 601.0)]))


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "cron(0 25 * * ? *)",
        "cron(60 0 * * ? *)",
        "cron(0 2 * * * *)",
        "cron(0 2 ? * ? *)",
        "cron(0 2 * * ?)",
        "cron(0 2 32 * ? *)",
        "cron(0 2 0W * ? *)",
        "cron(0 2 ? * XYZ *)",
        "cron(0 2 ? * MON#6 *)",
        "cron(5/0 2 * * ? *)",
        "cron(9-3 2 * * ? *)",
        "cron(-1 2 * * ? *)",
        "rate(0 minutes)",
        "rate(5 minute)",
        "rate(1 week)",
        "rate(five minutes)",
        "rate(5)",
        "at(2026-02-30T00:00:00)",
        "at(2026-03-01)",
        "at(2026-03-01T00:00:00Z)",
        "every day",
    ],
)
def test_what_is_no_expression(expression: str) -> None:
    with pytest.raises(ExpressionError, match="Invalid Schedule Expression"):
        parse(expression, "UTC")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "/etc/localtime"])
def test_what_is_no_time_zone(zone: str) -> None:
    with pytest.raises(ExpressionError, match="Timezone"):
        parse("rate(1 minute)", zone)

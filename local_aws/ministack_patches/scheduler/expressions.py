"""When a schedule is due: ``at(...)``, ``rate(...)`` and ``cron(...)`` in a time zone.

A moment that does not exist on the day the clocks go forward is skipped, and one that comes twice counts once.
Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_FORM = re.compile(r"(at|rate|cron)\((.*)\)")
_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_ANY = ("*", "?")
_YEARS = (1970, 2199)
_DAYS_AHEAD = 366 * 8  # a 29 February may be eight years away


class ExpressionError(ValueError):
    """The text is no schedule expression, or the time zone is unknown."""


@dataclass(frozen=True)
class Times:
    """The moments of one schedule.

    Attributes:
        is_once: whether there is only one moment.
    """

    is_once: bool
    _after: Callable[[float, float], float | None]

    def after(self, moment: float, start: float) -> float | None:
        """The first moment later than ``moment``; None when there is none.

        Args:
            moment: seconds since 1970, as all moments here.
            start: when the schedule begins. A rate counts from it, and begins with it.
        """
        return self._after(moment, start)


def parse(expression: str, zone: str) -> Times:
    """Read an expression.

    Raises:
        ExpressionError: AWS refuses it.
    """
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ExpressionError(f"The ScheduleExpressionTimezone {zone} is not valid.") from error
    form = _FORM.fullmatch(expression.strip())
    if form is None:
        raise ExpressionError(f"Invalid Schedule Expression {expression}.")
    try:
        if form[1] == "at":
            return _once(form[2], place)
        return _rate(form[2]) if form[1] == "rate" else _cron(form[2], place)
    except ValueError as error:
        raise ExpressionError(f"Invalid Schedule Expression {expression}.") from error


def _once(text: str, zone: ZoneInfo) -> Times:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text.strip()):
        raise ValueError(text)
    moment = datetime.fromisoformat(text.strip()).replace(tzinfo=zone).timestamp()
    return Times(True, lambda after, _start: moment if moment > after else None)


def _rate(text: str) -> Times:
    value, _, unit = text.strip().partition(" ")
    name = unit.strip().removesuffix("s")
    if not value.isdecimal() or int(value) < 1 or name not in _UNITS or (int(value) > 1 and unit.strip() == name):
        raise ValueError(text)
    seconds = int(value) * _UNITS[name]

    def after(moment: float, start: float) -> float:
        return start if moment < start else start + ((moment - start) // seconds + 1) * seconds

    return Times(False, after)


def _cron(text: str, zone: ZoneInfo) -> Times:
    minute, hour, month_day, month, week_day, year = _fields(text)
    minutes, hours = sorted(_numbers(minute, 0, 59)), sorted(_numbers(hour, 0, 23))
    months, years = _numbers(month, 1, 12, _MONTHS), _numbers(year, *_YEARS)
    fits = _month_day(month_day) if week_day == "?" else _week_day(week_day)

    def days(first: date) -> Iterator[date]:
        for number in range(_DAYS_AHEAD):
            found = first + timedelta(days=number)
            if found.year in years and found.month in months and fits(found):
                yield found

    def after(moment: float, _start: float) -> float | None:
        for found in days(datetime.fromtimestamp(moment, zone).date()):
            for local in (
                datetime(found.year, found.month, found.day, h, m, tzinfo=zone) for h in hours for m in minutes
            ):
                exists = local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None)
                if exists and local.timestamp() > moment:
                    return local.timestamp()
        return None

    return Times(False, after)


def _fields(text: str) -> list[str]:
    fields = text.upper().split()
    if len(fields) != 6 or (fields[2] == "?") == (fields[4] == "?"):
        raise ValueError(text)
    return fields


def _numbers(field: str, low: int, high: int, names: dict[str, int] | None = None) -> frozenset[int]:
    """The numbers of a field such as ``*``, ``5``, ``1-5``, ``0/15`` or ``MON,WED``."""

    def number(text: str) -> int:
        found = (names or {}).get(text) or int(text)
        if not low <= found <= high or not re.fullmatch(r"\w+", text):
            raise ValueError(field)
        return found

    found: set[int] = set()
    for part in field.split(","):
        base, slash, step = part.partition("/")
        first, dash, last = base.partition("-")
        begin = low if base in _ANY else number(first)
        end = number(last) if dash else high if slash or base in _ANY else begin
        if begin > end or (slash and int(step) < 1):
            raise ValueError(field)
        found.update(range(begin, end + 1, int(step) if slash else 1))
    return frozenset(found)


def _month_day(field: str) -> Callable[[date], bool]:
    """Days of a month: ``L`` is the last, ``LW`` the last weekday, and ``15W`` the weekday nearest to the 15th."""
    plain, special = _split(field, r"LW?|\d+W")
    days = _numbers(plain, 1, 31) if plain else frozenset()
    for part in special:
        if part[0] != "L":
            _numbers(part[:-1], 1, 31)

    def fits(day: date) -> bool:
        last = calendar.monthrange(day.year, day.month)[1]
        if day.day in days or ("L" in special and day.day == last):
            return True
        return any(
            day.day == _nearest_weekday(day, last if p == "LW" else int(p[:-1]), last) for p in special if p != "L"
        )

    return fits


def _nearest_weekday(month: date, wanted: int, last: int) -> int:
    found = month.replace(day=min(wanted, last))
    if found.isoweekday() == 6:
        return found.day - 1 if found.day > 1 else found.day + 2
    if found.isoweekday() == 7:
        return found.day + 1 if found.day < last else found.day - 2
    return found.day


def _week_day(field: str) -> Callable[[date], bool]:
    """Days of a week: ``6L`` is the month's last Friday, ``6#3`` its third, and ``L`` every Saturday."""
    plain, special = _split(field, r"\w*L|\w+#\d")
    days = _numbers(plain, 1, 7, _DAYS) if plain else frozenset()
    named: list[tuple[int, int]] = []  # day, and which of the month; 0 is the last
    for part in special:
        name, _, nth = part.removesuffix("L").partition("#")
        if part == "L":
            days |= {7}
        else:
            (number,) = _numbers(name, 1, 7, _DAYS)
            named.append((number, min(_numbers(nth, 1, 5)) if nth else 0))

    def fits(day: date) -> bool:
        number = day.isoweekday() % 7 + 1
        last = calendar.monthrange(day.year, day.month)[1]
        nth = (day.day - 1) // 7 + 1
        return number in days or any(
            number == wanted and (nth == which if which else day.day + 7 > last) for wanted, which in named
        )

    return fits


def _split(field: str, special: str) -> tuple[str, list[str]]:
    """The parts of a field that are numbers, and those of a form of their own."""
    parts = field.split(",")
    own = [part for part in parts if re.fullmatch(special, part)]
    return ",".join(part for part in parts if part not in own), own

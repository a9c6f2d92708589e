"""Budget periods: where the one begins and ends that a moment lies in, rolling or on the calendar.

Calendar periods are wall time in the SLO's zone: a day of a DST shift has 23 or 25 hours. A period that begins at a
wall time which a shift skips (02:30) begins as long after the shift (03:30). Months count from the start's own day,
clamped to the end of shorter months (31 January, 28 February, 31 March), so that a clamp is never carried on.
"""

from __future__ import annotations

import calendar as gregorian
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sre.errors import SreError
from sre.slo.model import CalendarWindow, Slo

_MONTHS = {"M": 1, "Q": 3, "Y": 12}
_DAYS = {"d": 1, "w": 7}


def period_at(slo: Slo, at: float) -> tuple[float, float]:
    """(start, end) of the budget period in Unix seconds.

    Rolling: the `period_s` before `at`. Calendar: the period with start <= at < end; the calendar goes on before its
    start too. Raises SreError where the calendar has no such date.
    """
    if slo.calendar is None:
        return at - slo.period_s, at
    return calendar_period_at(slo.calendar, at)


def calendar_period_at(window: CalendarWindow, at: float) -> tuple[float, float]:
    """(start, end) of the calendar period with start <= at < end."""
    k = _guess(window, at)
    while period_start(window, k) > at:
        k -= 1
    while period_start(window, k + 1) <= at:
        k += 1
    return period_start(window, k), period_start(window, k + 1)


def periods_between(slo: Slo, start: float, end: float) -> Iterator[tuple[float, float]]:
    """The periods that share time with [start, end), in order; for a rolling window the one that ends at `end`."""
    if slo.calendar is None:
        yield period_at(slo, end)
        return
    at = start
    while at < end:
        period = calendar_period_at(slo.calendar, at)
        yield period
        at = period[1]


def period_start(window: CalendarWindow, k: int) -> float:
    """When period k begins, in Unix seconds; period 0 begins at the window's start."""
    wall, count = window.start.replace(tzinfo=None), k * window.count
    try:
        if window.unit in _DAYS:
            return timestamp(wall + timedelta(days=count * _DAYS[window.unit]), window.zone)
        return timestamp(_months_later(wall, count * _MONTHS[window.unit]), window.zone)
    except (OverflowError, ValueError) as error:
        raise SreError(f"period {k} of the calendar window lies outside the years 1 to 9999") from error


def timestamp(wall: datetime, zone: ZoneInfo) -> float:
    """Unix seconds of a wall time, as RFC 5545 (3.3.5) has it: the first of two; a skipped one by the offset before."""
    return wall.replace(tzinfo=zone, fold=0).timestamp()


def _months_later(wall: datetime, months: int) -> datetime:
    years, month = divmod(wall.year * 12 + wall.month - 1 + months, 12)
    day = min(wall.day, gregorian.monthrange(years, month + 1)[1])
    return wall.replace(year=years, month=month + 1, day=day)


def _guess(window: CalendarWindow, at: float) -> int:
    """A period near the one sought: the average length of a month is 30.44 days."""
    days = window.count * (_DAYS.get(window.unit) or 30.44 * _MONTHS[window.unit])
    start = window.start.replace(tzinfo=None)
    try:
        elapsed = datetime.fromtimestamp(at, UTC).replace(tzinfo=None) - start
    except (OverflowError, ValueError, OSError) as error:
        raise SreError(f"{at:g} is no time of the calendar") from error
    return int(elapsed.total_seconds() / 86400 // days)

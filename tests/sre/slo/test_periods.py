"""Budget periods on the calendar: months of every length, leap years, days that a shift of the clocks makes uneven."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.errors import SreError
from sre.slo.model import CalendarWindow, RatioSli, Slo
from sre.slo.periods import calendar_period_at, period_at, period_start, periods_between

HOUR_S = 3600.0


def window(count, unit, start, zone):
    return CalendarWindow(count, unit, datetime.fromisoformat(start), ZoneInfo(zone))


def slo(calendar=None):
    return Slo("a", "A", "", "s", 0.999, 28 * 24 * HOUR_S, RatioSli(total=()), "a.yaml", calendar=calendar)


def seconds(text, zone):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("count", "unit", "start", "zone", "at", "begins", "ends", "hours"),
    [
        # days: 23 h when the clocks go forward, 25 h when they go back
        (1, "d", "2026-01-01", "Europe/Berlin", "2026-03-29T12:00", "2026-03-29", "2026-03-30", 23),
        (1, "d", "2026-01-01", "Europe/Berlin", "2026-10-25T02:30", "2026-10-25", "2026-10-26", 25),
        (1, "d", "2026-01-01", "America/New_York", "2026-03-08T23:59", "2026-03-08", "2026-03-09", 23),
        (1, "d", "2026-01-01", "America/New_York", "2026-11-01T00:00", "2026-11-01", "2026-11-02", 25),
        (1, "d", "2026-01-01", "Asia/Kolkata", "2026-03-29T00:00", "2026-03-29", "2026-03-30", 24),
        # weeks, and two of them
        (1, "w", "2026-01-05", "Europe/Berlin", "2026-03-25", "2026-03-23", "2026-03-30", 7 * 24 - 1),
        (2, "w", "2026-01-05", "Asia/Kolkata", "2026-01-20", "2026-01-19", "2026-02-02", 14 * 24),
        # months: short, leap, across a shift
        (1, "M", "2026-01-01", "Europe/Berlin", "2026-02-28T23:59", "2026-02-01", "2026-03-01", 28 * 24),
        (1, "M", "2026-01-01", "Europe/Berlin", "2028-02-29", "2028-02-01", "2028-03-01", 29 * 24),
        (1, "M", "2026-01-01", "Europe/Berlin", "2026-03-01", "2026-03-01", "2026-04-01", 31 * 24 - 1),
        (1, "M", "2026-01-01", "America/New_York", "2026-11-30", "2026-11-01", "2026-12-01", 30 * 24 + 1),
        (1, "M", "2026-01-01", "Asia/Kolkata", "2025-12-31T23:59", "2025-12-01", "2026-01-01", 31 * 24),
        # from the 31st, each month by itself
        (1, "M", "2026-01-31", "Europe/Berlin", "2026-02-28", "2026-02-28", "2026-03-31", 31 * 24 - 1),
        (1, "M", "2026-01-31", "Europe/Berlin", "2026-04-29", "2026-03-31", "2026-04-30", 30 * 24),
        (1, "M", "2026-01-31", "Asia/Kolkata", "2026-02-27", "2026-01-31", "2026-02-28", 28 * 24),
        # quarters, years, in wall time other than midnight
        (1, "Q", "2026-01-01", "Europe/Berlin", "2026-05-05", "2026-04-01", "2026-07-01", 91 * 24),
        (2, "Q", "2026-01-01", "America/New_York", "2026-05-05", "2026-01-01", "2026-07-01", 181 * 24 - 1),
        (1, "Y", "2024-02-29", "Asia/Kolkata", "2026-01-01", "2025-02-28", "2026-02-28", 365 * 24),
        (1, "Y", "2024-02-29", "Asia/Kolkata", "2028-03-01", "2028-02-29", "2029-02-28", 365 * 24),
        (
            1,
            "M",
            "2026-01-15T09:30",
            "America/New_York",
            "2026-03-15T09:29",
            "2026-02-15T09:30",
            "2026-03-15T09:30",
            671,
        ),
    ],
)
def test_calendar_periods(count, unit, start, zone, at, begins, ends, hours):
    period = calendar_period_at(window(count, unit, start, zone), seconds(at, zone))
    assert period == (seconds(begins, zone), seconds(ends, zone))
    assert period[1] - period[0] == hours * HOUR_S


def test_a_start_that_a_shift_skips_is_as_long_after_it():
    daily = window(1, "d", "2026-03-28T02:30", "Europe/Berlin")
    assert period_start(daily, 1) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC).timestamp()  # 03:30 in Berlin
    assert period_start(daily, 2) - period_start(daily, 1) == 23 * HOUR_S


def test_of_a_start_that_happens_twice_the_first_counts():
    daily = window(1, "d", "2026-10-24T02:30", "Europe/Berlin")
    assert period_start(daily, 1) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()


@given(
    count=st.integers(1, 5),
    unit=st.sampled_from("dwMQY"),
    start=st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)),  # noqa: DTZ001  (wall time)
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]),
    days=st.floats(-3000, 3000),
)
def test_periods_touch_and_hold_the_moment_asked_for(count, unit, start, zone, days):
    calendar = CalendarWindow(count, unit, start, ZoneInfo(zone))
    at = (start.replace(tzinfo=UTC) + timedelta(days=days)).timestamp()
    begins, ends = calendar_period_at(calendar, at)
    assert begins <= at < ends
    assert calendar_period_at(calendar, ends)[0] == ends
    assert calendar_period_at(calendar, begins)[0] == begins


def test_a_rolling_period_ends_now():
    assert period_at(slo(), 1e9) == (1e9 - 28 * 24 * HOUR_S, 1e9)


def test_periods_between_two_moments():
    monthly = slo(window(1, "M", "2026-01-01", "Europe/Berlin"))
    zone = "Europe/Berlin"
    found = list(periods_between(monthly, seconds("2026-01-20", zone), seconds("2026-03-01", zone)))
    assert [ends for _, ends in found] == [seconds("2026-02-01", zone), seconds("2026-03-01", zone)]
    assert list(periods_between(slo(), 0.0, 1e9)) == [period_at(slo(), 1e9)]


@pytest.mark.parametrize("at", [-1e13, 1e13, float("inf")])
def test_times_outside_the_calendar_are_refused(at):
    with pytest.raises(SreError, match="calendar"):
        calendar_period_at(window(1, "M", "2026-01-01", "UTC"), at)

"""Where the budget will stand: the band holds what happens, and says nothing where too little is known."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sre.slo.burn import NOTHING, SliEvents
from sre.slo.corrections import Correction
from sre.slo.counters import EventCurve
from sre.slo.forecast import forecast
from sre.slo.model import CalendarWindow, RatioSli, Slo

HOUR_S, DAY_S = 3600.0, 86400.0
MAY = datetime(2026, 5, 1, tzinfo=ZoneInfo("UTC")).timestamp()
MONTHLY = CalendarWindow(1, "M", datetime(2026, 1, 1), ZoneInfo("UTC"))  # noqa: DTZ001  (wall time)


def slo(**options):
    return Slo("a", "A", "", "s", 0.99, 28 * DAY_S, RatioSli(total=()), "a.yaml", **options)


def hourly(bad, *, start=0.0, total=1000.0):
    times = start + HOUR_S * np.arange(1, len(bad) + 1)
    return SliEvents(
        EventCurve(times, np.cumsum(bad, dtype=float)), EventCurve(times, total * np.arange(1.0, len(bad) + 1))
    )


def test_an_even_past_has_an_even_future():
    found = forecast(slo(), hourly([5] * 24 * 28), at=28 * DAY_S)
    assert found.until == 35 * DAY_S
    assert found.spent == pytest.approx(0.5)
    assert found.band == pytest.approx((0.5, 0.5))
    assert (found.chance_exhausted, found.level, found.method) == (0, 0.8, "block bootstrap of 28 days")


def test_an_old_outage_leaves_the_rolling_window():
    events = hourly([6720] + [0] * (24 * 28 - 1))
    now = forecast(slo(), events, at=28 * DAY_S, until=28 * DAY_S + 60)
    later = forecast(slo(), events, at=28 * DAY_S, until=29 * DAY_S)
    assert now.spent == pytest.approx(1, abs=0.01)
    # what is left is the mean rate of the past, one day of it
    assert later.spent == pytest.approx(1 / 28, rel=0.01)


def test_a_calendar_period_is_forecast_to_its_end():
    found = forecast(slo(calendar=MONTHLY), hourly([5] * 240, start=MAY), at=MAY + 10 * DAY_S)
    assert found.until == MAY + 31 * DAY_S
    assert found.spent == pytest.approx(0.5)
    halfway = forecast(slo(calendar=MONTHLY), hourly([5] * 240, start=MAY), at=MAY + 10 * DAY_S, until=MAY + 15 * DAY_S)
    assert halfway.spent == pytest.approx(0.5 * 15 / 31, rel=0.01)


def test_bursts_widen_the_band():
    random = np.random.default_rng(1)
    even = forecast(slo(), hourly(random.poisson(5, 24 * 28)), at=28 * DAY_S)
    bursts = forecast(slo(), hourly(random.poisson(3360, 28).repeat(24) * (np.arange(672) % 240 == 0)), at=28 * DAY_S)
    assert bursts.band[1] - bursts.band[0] > 5 * (even.band[1] - even.band[0])


def test_the_band_holds_about_what_it_says():
    """Futures from the same process as the past, 80 % of which shall lie in the band."""
    random = np.random.default_rng(7)
    inside = 0
    for _ in range(120):
        past, future = (random.gamma(0.5, 240, days).repeat(24) / 24 for days in (28, 7))
        at = 28 * DAY_S
        low, high = forecast(slo(), hourly(past), at=at).band
        spent = (past[24 * 7 :].sum() + future.sum()) / (0.01 * 1000 * 24 * 28)
        inside += low <= spent <= high
    assert 0.65 < inside / 120 < 0.92


def test_no_errors_so_far_do_not_mean_none_to_come():
    found = forecast(slo(), hourly([0] * 24 * 28), at=28 * DAY_S)
    assert (found.spent, found.band[0]) == (0, 0)
    # none in 28 days of traffic: at most -ln(0.1) at that level, a quarter of it in 7 days
    assert found.band[1] == pytest.approx(2.3026 / 4 / 6720, rel=1e-3)


def test_a_short_history_has_no_band_and_says_why():
    found = forecast(slo(), hourly([5] * 20), at=20 * HOUR_S)
    assert found.spent == pytest.approx(0.5, rel=0.01)
    assert (found.band, found.chance_exhausted) == (None, None)
    assert found.reason == "20 h of data: a band needs 24 observed hours"


def test_a_few_days_are_drawn_by_the_hour():
    assert forecast(slo(), hourly([5] * 72), at=72 * HOUR_S).method == "block bootstrap of 72 hours"


def test_without_events_there_is_nothing_to_forecast():
    found = forecast(slo(), NOTHING, at=DAY_S)
    assert (found.spent, found.band, found.reason) == (None, None, "no events in the period so far")


def test_what_is_excluded_does_not_come_again():
    events = hourly([5] * 300 + [5000] + [5] * (24 * 28 - 301))
    drill = Correction(300 * HOUR_S, 301 * HOUR_S, None, "drill", "ada", 0.0)
    assert forecast(slo(), events, at=28 * DAY_S, corrections=[drill]).spent == pytest.approx(0.5, rel=0.01)
    assert forecast(slo(), events, at=28 * DAY_S).spent > 1


def test_equal_inputs_give_equal_answers():
    events = hourly(np.random.default_rng(5).poisson(5, 24 * 28))
    assert forecast(slo(), events, at=28 * DAY_S) == forecast(slo(), events, at=28 * DAY_S)


@pytest.mark.parametrize("until", [MAY, MAY + 40 * DAY_S])
def test_a_forecast_stays_within_the_period(until):
    with pytest.raises(ValueError, match="within the period"):
        forecast(slo(calendar=MONTHLY), NOTHING, at=MAY + DAY_S, until=until)

"""Burn maths: closed forms of the SRE workbook, and agreement with an obvious implementation on random counters."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.slo.alerts import episodes, firing
from sre.slo.burn import SliEvents, burn_curve
from sre.slo.counters import EventCurve, event_curve
from sre.slo.model import BurnTier, DrillClock
from sre.slo.tiers import workbook_tiers

REAL = DrillClock(1.0)
BUDGET = 1 - 0.999
PAGE_1H = workbook_tiers(30 * 86400.0)[0]


def tier(long_s, short_s, *, factor=2.0, min_bad_events=2):
    return BurnTier("t", "page", factor, long_s, short_s, 0.02, min_bad_events)


def outage(*, healthy_s, broken_s, recovered_s, rate=10.0, scale=1.0):
    """Full outage between two healthy spans, sampled every second of a clock that runs `scale` times faster."""
    times = np.arange(healthy_s + broken_s + recovered_s + 1.0)
    bad = rate * np.clip(times - healthy_s, 0, broken_s)
    return SliEvents(EventCurve(times / scale, bad), EventCurve(times / scale, rate * times)), times / scale


def test_a_full_outage_fires_the_fast_page_after_its_share_of_the_hour():
    events, times = outage(healthy_s=3600, broken_s=600, recovered_s=0)
    burn = burn_curve(events, PAGE_1H, times, budget=BUDGET, clock=REAL)
    (alert,) = episodes("availability", burn)
    # 14.4 x 0.001 of the last hour must be bad: 51.84 s, seen at the next whole second
    assert alert.fired_at - 3600 == 52
    assert alert.reset_at is None


def test_the_page_resets_when_the_short_window_has_recovered():
    events, times = outage(healthy_s=3600, broken_s=60, recovered_s=900)
    burn = burn_curve(events, PAGE_1H, times, budget=BUDGET, clock=REAL)
    (alert,) = episodes("availability", burn)
    # 5 min after recovery at most 1.44 % of the short window may be bad: 4.32 s of the outage are left in it
    assert alert.reset_at - (3600 + 60) == pytest.approx(300 - 4.32, abs=1)


def test_the_drill_clock_compresses_everything_alike():
    slow_events, slow_times = outage(healthy_s=3600, broken_s=120, recovered_s=600)
    fast_events, fast_times = outage(healthy_s=3600, broken_s=120, recovered_s=600, scale=60)
    (slow,) = episodes("a", burn_curve(slow_events, PAGE_1H, slow_times, budget=BUDGET, clock=REAL))
    (fast,) = episodes("a", burn_curve(fast_events, PAGE_1H, fast_times, budget=BUDGET, clock=DrillClock(60)))
    assert (fast.fired_at, fast.reset_at) == pytest.approx((slow.fired_at / 60, slow.reset_at / 60), abs=1 / 60)


def test_a_burn_of_exactly_the_factor_fires():
    times = np.arange(0, 101.0)
    events = SliEvents(EventCurve(times, 3 * times), EventCurve(times, 1000 * times))  # 0.3 % of a 0.1 % budget
    burn = burn_curve(events, tier(50, 5, factor=3.0), times, budget=BUDGET, clock=REAL)
    assert firing(burn)[1:].all()


def test_ratios_are_of_sums_never_means_of_ratios(series):
    busy = series("total", [0, 10], [0, 980], replica="a"), series("bad", [0, 10], [0, 0], replica="a")
    idle = series("total", [0, 10], [0, 20], replica="b"), series("bad", [0, 10], [0, 20], replica="b")
    events = SliEvents(bad=event_curve([busy[1], idle[1]]), total=event_curve([busy[0], idle[0]]))
    burn = burn_curve(events, tier(10, 10), np.array([10.0]), budget=0.01, clock=REAL)
    assert burn.curve.long_burn == pytest.approx(2.0)


def test_no_traffic_is_no_data_and_not_a_burn_of_zero():
    events = SliEvents(EventCurve(np.array([1.0]), np.array([0.0])), EventCurve(np.array([1.0]), np.array([5.0])))
    burn = burn_curve(events, tier(2, 2), np.array([1.0, 2.0, 3.0, 4.0]), budget=BUDGET, clock=REAL)
    assert np.isnan(burn.curve.long_burn).tolist() == [False, False, True, True]
    assert not firing(burn).any()


def test_a_lone_bad_event_does_not_page():
    times = np.arange(0, 21.0)
    one = SliEvents(EventCurve(times, np.minimum(times, 1)), EventCurve(times, 10 * times))
    two = SliEvents(EventCurve(times, np.minimum(times, 2)), EventCurve(times, 10 * times))
    burns = [burn_curve(e, tier(20, 20), times, budget=BUDGET, clock=REAL) for e in (one, two)]
    assert [len(episodes("a", burn)) for burn in burns] == [0, 1]


def test_two_outages_are_two_episodes():
    times = np.arange(0, 101.0)
    bad = 10 * (np.clip(times - 20, 0, 5) + np.clip(times - 70, 0, 5))
    events = SliEvents(EventCurve(times, bad), EventCurve(times, 10 * times))
    alerts = episodes("a", burn_curve(events, tier(12, 4), times, budget=0.1, clock=REAL))
    assert [a.fired_at < 25 for a in alerts] == [True, False]
    assert alerts[0].reset_at < 70 < alerts[1].fired_at
    assert alerts[1].reset_at < 85


STEPS = st.lists(st.tuples(st.integers(1, 4), st.integers(-3, 6)), min_size=1, max_size=25)


def counter(steps):
    """Times with gaps; an amount below 0 is a restart that then shows its magnitude."""
    at, value, times, values = 0, 5, [], []
    for gap, amount in steps:
        at += gap
        value = value + amount if amount >= 0 else -amount - 1
        times.append(at)
        values.append(value)
    return times, values


def slow_increase(counters, start, end):
    """The obvious implementation: look at every neighbouring pair of samples."""
    total = 0.0
    for times, values in counters:
        for i in range(1, len(times)):
            if start < times[i] <= end:
                total += values[i] - values[i - 1] if values[i] >= values[i - 1] else values[i]
    return total


@settings(max_examples=150, deadline=None)
@given(
    good=st.lists(STEPS, min_size=1, max_size=3),
    bad=st.lists(STEPS, min_size=1, max_size=3),
    long_s=st.integers(2, 40),
    short_s=st.integers(1, 20),
)
def test_agrees_with_the_obvious_implementation(series, good, bad, long_s, short_s):
    good_counters, bad_counters = [counter(s) for s in good], [counter(s) for s in bad]
    make = [series("c", *one, n=str(n)) for n, one in enumerate(good_counters + bad_counters)]
    events = SliEvents(bad=event_curve(make[len(good) :]), total=event_curve(make))
    times = np.arange(0.0, 60.0, 0.5)
    burn = burn_curve(events, tier(long_s, short_s), times, budget=0.05, clock=REAL)
    for window_s, curve in ((long_s, burn.curve.long_burn), (short_s, burn.curve.short_burn)):
        for at, seen in zip(times, curve, strict=True):
            bads = slow_increase(bad_counters, at - window_s, at)
            total = bads + slow_increase(good_counters, at - window_s, at)
            expected = bads / total / 0.05 if total else math.nan
            assert seen == pytest.approx(expected, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=60))
def test_episodes_are_the_runs_in_which_the_condition_holds(steps):
    times = np.arange(1.0, len(steps) + 1)
    bad = np.cumsum([b for b, _ in steps]).astype(float)
    total = bad + np.cumsum([g for _, g in steps])
    burn = burn_curve(
        SliEvents(EventCurve(times, bad), EventCurve(times, total)), tier(5, 2), times, budget=0.2, clock=REAL
    )
    held = np.zeros(len(times), dtype=bool)
    for alert in episodes("a", burn):
        held |= (times >= alert.fired_at) & (times < (alert.reset_at or np.inf))
    assert held.tolist() == firing(burn).tolist()

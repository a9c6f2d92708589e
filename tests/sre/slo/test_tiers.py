"""The tiers are the SRE workbook's at 30 days, and keep their budget shares at any other period."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.slo.alerts import episodes
from sre.slo.burn import SliEvents, burn_curve
from sre.slo.counters import EventCurve
from sre.slo.model import BurnTier, DrillClock, RatioSli, Slo
from sre.slo.tiers import (
    budget_share_of,
    can_fire,
    detection_time_s,
    factor_of,
    reset_time_s,
    tiers_of,
    workbook_tiers,
)

DAY_S = 86400.0
BUDGET = 0.001


def test_at_30_days_the_factors_are_the_workbooks():
    tiers = {tier.name: tier for tier in workbook_tiers(30 * DAY_S)}
    assert {name: tier.factor for name, tier in tiers.items()} == pytest.approx(
        {"page-1h": 14.4, "page-6h": 6.0, "ticket-1d": 3.0, "ticket-3d": 1.0}
    )
    assert [tier.severity for tier in tiers.values()] == ["page", "page", "ticket", "ticket"]
    assert [tier.short_s for tier in tiers.values()] == [300, 1800, 7200, 21600]


@pytest.mark.parametrize("days", [7, 28, 30, 90])
def test_burning_at_the_factor_for_the_long_window_spends_the_share(days):
    for tier in workbook_tiers(days * DAY_S):
        assert tier.factor * tier.long_s / (days * DAY_S) == pytest.approx(tier.budget_share)


def test_at_28_days_two_percent_an_hour_is_13_44():
    assert workbook_tiers(28 * DAY_S)[0].factor == pytest.approx(13.44)


def of(factor, long_s, short_s=None, **options):
    short_s = long_s if short_s is None else short_s
    share = budget_share_of(factor, long_s, 30 * DAY_S)
    return BurnTier("t", "page", factor, long_s, short_s, share, min_bad_events=0, **options)


@pytest.mark.parametrize(
    ("burn", "error_ratio", "exhausted_s"),
    [(1, 0.001, 30 * DAY_S), (2, 0.002, 15 * DAY_S), (10, 0.01, 3 * DAY_S), (1000, 1.0, 43 * 60)],
)
def test_workbook_table_5_4_burn_rates_and_time_to_exhaustion(burn, error_ratio, exhausted_s):
    assert error_ratio / BUDGET == pytest.approx(burn)
    assert 30 * DAY_S / burn == pytest.approx(exhausted_s, rel=0.005)


def test_workbook_table_5_6_share_of_budget_window_and_burn_rate():
    rows = [(0.02, 3600, 14.4), (0.05, 6 * 3600, 6), (0.10, 3 * DAY_S, 1)]
    for share, window_s, factor in rows:
        assert factor_of(share, window_s, 30 * DAY_S) == pytest.approx(factor)
        assert budget_share_of(factor, window_s, 30 * DAY_S) == pytest.approx(share)


def test_workbook_table_5_8_long_and_short_windows():
    seen = {(t.severity, t.long_s, t.short_s, round(t.factor, 6), t.budget_share) for t in workbook_tiers(30 * DAY_S)}
    assert seen >= {
        ("page", 3600, 300, 14.4, 0.02),
        ("page", 6 * 3600, 1800, 6, 0.05),
        ("ticket", 3 * DAY_S, 6 * 3600, 1, 0.10),
    }


@pytest.mark.parametrize(
    ("tier", "error_ratio", "detected_s", "reset_s"),
    [
        # approach 1, error rate over the target for 10 min: 0.6 s into a full outage
        (of(1, 600), 1.0, 0.6, 600 - 0.6),
        # approach 2, a window of 36 h: 2 min 10 s into a full outage, resets nearly 36 h after it
        (of(1, 36 * 3600), 1.0, 129.6, 36 * 3600 - 129.6),
        # approach 4, burn rate 36 over 1 h (5 % of the budget): resets 58 min after a full outage
        (of(36, 3600), 1.0, 129.6, 57.84 * 60),
        # approaches 5 and 6: 14.4 over 1 h (and 5 min) is 51.84 s
        (of(14.4, 3600), 1.0, 51.84, 3600 - 51.84),
        (of(14.4, 3600, 300), 1.0, 51.84, 300 - 4.32),
        # the figure on short and long windows, 15 % errors: 5 min 46 s, reset in the 5 min window, not the hour
        (of(14.4, 3600, 300), 0.15, 345.6, 300 - 28.8),
        (of(14.4, 3600), 0.15, 345.6, 3600 - 345.6),
        (of(6, 6 * 3600, 1800), 1.0, 129.6, 1800 - 10.8),
        (of(1, 3 * DAY_S, 6 * 3600), 1.0, 259.2, 6 * 3600 - 21.6),
    ],
)
def test_detection_and_reset_times_of_workbook_chapter_5(tier, error_ratio, detected_s, reset_s):
    assert detection_time_s(tier, error_ratio=error_ratio, budget=BUDGET) == pytest.approx(detected_s)
    assert reset_time_s(tier, error_ratio=error_ratio, budget=BUDGET) == pytest.approx(reset_s)


def test_workbook_low_traffic_one_failure_of_ten_an_hour_is_13_9_percent_of_the_budget():
    assert pytest.approx(0.139, abs=0.0005) == 1 / (10 * 24 * 30 * BUDGET)


def test_workbook_extreme_goals_at_90_percent_an_hours_outage_is_1_4_percent_so_2_percent_never_fires():
    assert budget_share_of(1 / 0.1, 3600, 30 * DAY_S) == pytest.approx(0.0139, abs=0.0001)
    fastest = workbook_tiers(30 * DAY_S)[0]
    assert not can_fire(fastest, 0.1)
    assert detection_time_s(fastest, error_ratio=1.0, budget=0.1) is None


@pytest.mark.parametrize(("factor", "fires"), [(9.99, True), (10, False), (14.4, False)])
def test_a_tier_can_fire_if_less_than_a_full_outage_is_enough(factor, fires):
    assert can_fire(of(factor, 3600), 0.1) is fires


def test_errors_below_the_threshold_are_never_detected():
    assert detection_time_s(of(14.4, 3600), error_ratio=0.0143, budget=BUDGET) is None
    assert detection_time_s(of(14.4, 3600), error_ratio=0.0144, budget=BUDGET) == pytest.approx(3600)
    assert detection_time_s(of(14.4, 3600), error_ratio=0.0, budget=BUDGET) is None
    assert reset_time_s(of(14.4, 3600), error_ratio=0.0143, budget=BUDGET) is None


def test_errors_that_stop_before_detection_reset_nothing():
    assert reset_time_s(of(14.4, 3600, 300), error_ratio=1.0, budget=BUDGET, lasted_s=51) is None
    assert reset_time_s(of(14.4, 3600, 300), error_ratio=1.0, budget=BUDGET, lasted_s=52) == pytest.approx(295.68)


def test_a_tier_longer_than_the_period_is_left_out():
    assert [tier.name for tier in workbook_tiers(DAY_S)] == ["page-1h", "page-6h", "ticket-1d"]


def test_a_document_without_policies_has_the_workbooks_tiers():
    slo = Slo("a", "A", "", "s", 0.999, 30 * DAY_S, RatioSli(total=()), "a.yaml")
    assert tiers_of(slo) == workbook_tiers(30 * DAY_S)
    assert tiers_of(replace(slo, tiers=(of(2, 3600),))) == (of(2, 3600),)


@settings(max_examples=150, deadline=None)
@given(
    long_s=st.integers(20, 200),
    divisor=st.integers(1, 12),
    factor=st.floats(0.5, 20),
    error_ratio=st.floats(0.01, 1),
    lasted_s=st.integers(1, 400),
    for_s=st.integers(0, 30),
)
def test_closed_forms_agree_with_the_simulation(long_s, divisor, factor, error_ratio, lasted_s, for_s):
    """Traffic so fine that counts are no steps; alerts are evaluated every 1/8 s, which is how far they may differ."""
    budget, step = 0.02, 0.125
    tier = of(factor, float(long_s), long_s / divisor, for_s=float(for_s))
    times = np.arange(0.0, 250 + lasted_s + 250, step)
    bad = 1000 * error_ratio * np.clip(times - 250, 0, lasted_s)
    events = SliEvents(bad=EventCurve(times, bad), total=EventCurve(times, 1000 * times))
    alerts = episodes("a", burn_curve(events, tier, times, budget=budget, clock=DrillClock(1.0)))
    detected = detection_time_s(tier, error_ratio=error_ratio, budget=budget)
    reset = reset_time_s(tier, error_ratio=error_ratio, budget=budget, lasted_s=float(lasted_s))
    if not alerts:
        late = None if detected is None else lasted_s - (detected - for_s)  # near the edge both answers are right
        assert reset is None or late < 3 * step or reset + late - for_s < 3 * step
        return
    assert detected is not None
    assert alerts[0].fired_at - 250 == pytest.approx(detected, abs=2 * step)
    if reset is not None and alerts[0].reset_at is not None:
        assert alerts[0].reset_at - 250 - lasted_s == pytest.approx(reset, abs=2 * step)

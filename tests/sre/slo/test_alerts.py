"""When a condition becomes an alert: `for`, the low-traffic guard, and what no data does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.slo.alerts import episodes, firing
from sre.slo.burn import SliEvents, burn_curve, burn_curves
from sre.slo.counters import EventCurve
from sre.slo.model import BurnTier, DrillClock

REAL = DrillClock(1.0)


def tier(**options):
    chosen = {"factor": 1.0, "long_s": 1.0, "short_s": 1.0, "min_bad_events": 0, **options}
    return BurnTier("t", "page", budget_share=0.02, **chosen)


def events_of(bad, total=None):
    """One step a second; by default 10 events each."""
    times = np.arange(1.0, len(bad) + 1)
    total = [10] * len(bad) if total is None else total
    return SliEvents(EventCurve(times, np.cumsum(bad, dtype=float)), EventCurve(times, np.cumsum(total, dtype=float)))


def alerts_of(bad, *, total=None, clock=REAL, budget=0.1, **options):
    times = np.arange(1.0, len(bad) + 1)
    burn = burn_curve(events_of(bad, total), tier(**options), times, budget=budget, clock=clock)
    return [(alert.fired_at, alert.reset_at) for alert in episodes("a", burn)]


def test_for_waits_until_the_condition_has_held_so_long():
    assert alerts_of([0, 5, 5, 5, 5, 0, 0]) == [(2, 6)]
    assert alerts_of([0, 5, 5, 5, 5, 0, 0], for_s=2.0) == [(4, 6)]
    assert alerts_of([0, 5, 5, 5, 5, 0, 0], for_s=4.0) == []


def test_one_evaluation_that_fails_starts_for_anew():
    assert alerts_of([5, 5, 0, 5, 5, 5], for_s=2.0) == [(6, None)]


def test_for_is_compressed_like_the_windows():
    assert alerts_of([0, 5, 5, 5, 5], for_s=120.0, long_s=60.0, short_s=60.0, clock=DrillClock(60)) == [(4, None)]


@given(held=st.lists(st.booleans(), min_size=1, max_size=40), for_s=st.integers(0, 5))
def test_for_agrees_with_a_walk_over_the_evaluations(held, for_s):
    expected, since, fired = [], None, None
    for at, holds in enumerate(held, start=1):
        since = (since or at) if holds else None
        if since is not None and fired is None and at - since >= for_s:
            fired = at
        if since is None and fired is not None:
            expected.append((fired, at))
            fired = None
    if fired is not None:
        expected.append((fired, None))
    assert alerts_of([5 * holds for holds in held], for_s=float(for_s)) == expected


def test_seconds_without_data_hold_no_condition():
    assert alerts_of([5, 5, 0, 5], total=[10, 10, 0, 10]) == [(1, 3), (4, None)]


def test_the_binomial_test_needs_errors_that_the_budget_does_not_explain():
    # one bad event of ten is a burn of 100 at 99.9 %, and happens by chance once in a hundred such windows
    assert alerts_of([1], budget=0.001) == [(1, None)]
    assert alerts_of([1], budget=0.001, max_p_value=0.005) == []
    assert alerts_of([2], budget=0.001, max_p_value=0.005) == [(1, None)]


def test_both_guards_hold_where_both_are_set():
    assert alerts_of([2], budget=0.001, max_p_value=0.005, min_bad_events=3) == []


def test_many_tiers_at_once_are_each_as_alone():
    random = np.random.default_rng(3)
    total = random.poisson(20, 400)
    events = events_of(random.binomial(total, 0.02), total)
    times = np.arange(0.0, 400.0, 2.0)
    tiers = [tier(long_s=float(long_s), short_s=float(short_s)) for long_s, short_s in ((60, 5), (60, 7), (500, 60))]
    for one, curve in zip(tiers, burn_curves(events, tiers, times, budget=0.01, clock=REAL), strict=True):
        alone = burn_curve(events, one, times, budget=0.01, clock=REAL)
        for at, window in ((curve.curve.long_burn, one.long_s), (curve.curve.short_burn, one.short_s)):
            bad, seen = events.within(times - window, times)
            assert at == pytest.approx(np.where(seen > 0, bad / np.maximum(seen, 1) / 0.01, np.nan), nan_ok=True)
        assert firing(curve).tolist() == firing(alone).tolist()

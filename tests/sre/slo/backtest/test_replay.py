"""Replays over history held in memory: what fires, what cannot be replayed, and what is said about it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sre.errors import NoData, SreError
from sre.metrics.model import Matcher, Selector
from sre.slo.alerts import firing
from sre.slo.backtest.extent import extent
from sre.slo.backtest.model import Label, Plan
from sre.slo.backtest.replay import Data, alerting, evaluation_times, on_grid, replay
from sre.slo.backtest.run import backtest, require_data
from sre.slo.backtest.trace import trace
from sre.slo.burn import burn_curves
from sre.slo.model import BurnTier, DrillClock, JointSli, RatioSli, RawSli, Slo

HOUR = 3600.0
STEP = 30.0
TIER = BurnTier("page-1h", "page", 10.0, HOUR, 300.0, 0.01)


def slo_of(name="answers", **changes):
    bad = Selector("requests_total", (Matcher("outcome", "=", "error"),))
    made = Slo(name, name, "", "svc", 0.99, 30 * 86400, RatioSli(total=(Selector("requests_total"),), bad=(bad,)), "x")
    return replace(made, **changes)


@pytest.fixture
def outage(samples, series):
    """Twelve hours of 10 requests a scrape; from hour 6 on half of them fail for 30 minutes."""
    times = STEP * np.arange(0, 12 * 120 + 1)
    failing = (times > 6 * HOUR) & (times <= 6.5 * HOUR)
    errors = np.cumsum(np.where(failing, 5.0, 0.0))
    ok = np.cumsum(np.full(times.size, 10.0)) - errors
    return samples(
        series("requests_total", times, ok, outcome="ok"), series("requests_total", times, errors, outcome="error")
    )


def plan(**changes):
    made = Plan(start=0.0, end=12 * HOUR, step_s=60.0, tiers=(TIER,))
    return replace(made, **changes)


@pytest.mark.parametrize("convention", ["events", "promql-closed", "promql-left-open"])
def test_an_outage_pages_once_in_every_convention(outage, convention):
    label = Label(6 * HOUR, 6.5 * HOUR, "outage")
    (found,) = backtest(outage, [slo_of()], plan(convention=convention), [label]).slos
    (page,) = found.sets
    assert page.episodes == 1
    assert page.recall.value == 1
    # 10x of 1 % is 10 % of the hour's requests: 12 min of 50 % errors
    assert page.detection_s.value == pytest.approx(720, abs=61)
    # half a short window of errors is 25 %: it stops once less than a fifth of it is
    assert page.reset_s.value == pytest.approx(240, abs=61)


def test_the_grid_says_what_the_curves_say(outage):
    one = Data.read(outage, slo_of(), plan(), back_s=HOUR)
    times = evaluation_times(plan())
    tiers = (TIER, replace(TIER, long_s=5000.0, short_s=100.0))
    grid = on_grid(one.events, times, [HOUR, 300.0, 5000.0, 100.0])
    for fast, slow in zip(
        burn_curves(grid, tiers, times, budget=0.01, clock=DrillClock(1)),
        burn_curves(one.events, tiers, times, budget=0.01, clock=DrillClock(1)),
        strict=True,
    ):
        np.testing.assert_array_equal(fast.curve.long_burn, slow.curve.long_burn)
        np.testing.assert_array_equal(fast.curve.short_burn, slow.curve.short_burn)


def test_the_grid_keeps_what_several_criteria_say_together(outage):
    bad = Selector("requests_total", (Matcher("outcome", "=", "error"),))
    criterion = RatioSli(total=(Selector("requests_total"),), bad=(bad,))
    joint = slo_of(sli=JointSli((criterion, criterion)))
    one = Data.read(outage, joint, plan(), back_s=HOUR)
    times = evaluation_times(plan())
    (fast,) = burn_curves(on_grid(one.events, times, [HOUR, 300.0]), [TIER], times, budget=0.01, clock=DrillClock(1))
    (slow,) = burn_curves(one.events, [TIER], times, budget=0.01, clock=DrillClock(1))
    np.testing.assert_array_equal(fast.curve.long_burn, slow.curve.long_burn)
    assert np.nanmax(fast.curve.long_burn) > 20


def test_an_alert_with_alert_after_fires_later_by_that_much(outage):
    plain = replay(outage, slo_of(), plan())
    waiting = replay(outage, slo_of(), plan(tiers=(replace(TIER, for_s=300.0),)))
    assert waiting.times[waiting.holds[0]][0] - plain.times[plain.holds[0]][0] == 300
    np.testing.assert_array_equal(firing(waiting.burns[0]), plain.holds[0])


def test_windows_on_a_drill_clock_are_compressed(outage):
    quick = replay(outage, slo_of(), plan(clock=DrillClock(5.0), step_s=30.0))
    slow = replay(outage, slo_of(), plan(step_s=30.0))
    assert quick.times[quick.holds[0]][0] < slow.times[slow.holds[0]][0]


def test_a_window_longer_than_the_history_is_left_out_with_its_reason(outage):
    long = replace(TIER, name="ticket-3d", long_s=72 * HOUR, short_s=6 * HOUR)
    found = replay(outage, slo_of(), plan(tiers=(TIER, long)))
    assert [tier.name for tier in found.tiers] == ["page-1h"]
    assert found.skipped[0][1] == "its window of 3 d is longer than the history, 12 h"
    with pytest.raises(SreError, match="every window is longer than the history of 12 h"):
        replay(outage, slo_of(), plan(tiers=(long,)))


def test_a_step_longer_than_the_short_window_is_refused_with_the_longest_that_works(outage):
    with pytest.raises(
        SreError, match="step of 400 s is longer than the short window of page-1h, 300 s: give --step 300"
    ):
        replay(outage, slo_of(), plan(step_s=400.0))


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"step_s": 0.0}, "positive"), ({"end": 0.0}, "nothing to replay"), ({"step_s": 1e-4}, "choose a longer --step")],
)
def test_a_plan_that_cannot_work_says_so(outage, changes, told):
    with pytest.raises(SreError, match=told):
        replay(outage, slo_of(), plan(**changes))


def test_prometheus_windows_are_for_counters_only(samples, series):
    times = STEP * np.arange(0, 2880)
    source = samples(series("ratio", times, np.full(times.size, 0.99)))
    raw = slo_of(sli=RawSli(ratio=(Selector("ratio"),)))
    with pytest.raises(SreError, match="use --convention events"):
        replay(source, raw, plan(convention="promql-closed"))
    assert replay(source, raw, plan()).events.total.counts[-1] > 0


def test_an_slo_without_data_has_a_reason_and_the_others_go_on(outage):
    other = slo_of("other", sli=RatioSli(total=(Selector("nothing_total"),), bad=(Selector("nothing_bad"),)))
    result = backtest(outage, [slo_of(), other], plan())
    assert result.slos[0].reason is None
    assert "nothing_total" in (result.slos[1].reason or "")
    require_data(result)
    with pytest.raises(NoData, match="nothing_total"):
        require_data(backtest(outage, [other], plan()))


def test_a_range_beside_the_data_is_no_data(outage):
    (found,) = backtest(outage, [slo_of()], plan(start=1e6, end=1e6 + HOUR)).slos
    assert found.reason is not None


def test_what_fires_in_any_slo_is_merged_over_all(outage):
    result = backtest(outage, [slo_of("a"), slo_of("b")], plan(), [Label(6 * HOUR, 6.5 * HOUR, "outage", slo="b")])
    assert [one.sets[0].episodes for one in result.slos] == [1, 1]
    assert result.overall[0].episodes == 1
    assert result.slos[0].sets[0].recall.value is None
    assert result.slos[1].sets[0].recall.value == 1


def test_a_trace_keeps_the_highest_burn_of_each_bin(outage):
    done = replay(outage, slo_of(), plan())
    drawn = trace(done, pixels=50)
    assert drawn.error_ratio.size <= 50
    assert np.nanmax(drawn.tiers[0].long_burn) == np.nanmax(done.burns[0].curve.long_burn)
    assert drawn.edges[-1] == done.times[-1]
    assert trace(done, pixels=10_000).error_ratio.size == done.times.size


def test_the_extent_is_that_of_the_samples_counted(outage, samples):
    first, last = extent(outage, [slo_of()])
    assert -0.01 < first < 0.0 or first == pytest.approx(STEP, abs=0.01)
    assert last == 12 * HOUR
    with pytest.raises(NoData, match="requests_total"):
        extent(samples(), [slo_of()])


def test_alerting_is_never_more_than_the_condition(outage):
    done = replay(outage, slo_of(), plan(tiers=(replace(TIER, for_s=600.0),)))
    assert not (alerting(done.burns[0]) & ~firing(done.burns[0])).any()


@pytest.mark.parametrize("start", [1_700_000_000.1, 1_700_000_000.333])
def test_a_sample_on_the_dot_belongs_to_its_evaluation_whatever_the_start(samples, series, start):
    times = np.round(start + 60.0 * np.arange(0, 600), 3)
    total = np.cumsum(np.full(times.size, 10.0))
    source = samples(
        series("requests_total", times, total, outcome="ok"), series("requests_total", times, total, outcome="error")
    )
    chosen = plan(start=start, end=start + 599 * 60, step_s=60.0)
    done = replay(source, slo_of(), chosen)
    assert set(done.burns[0].long_bad[70:].tolist()) == {600.0}

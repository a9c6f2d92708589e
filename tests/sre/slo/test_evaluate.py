"""An SLO over an interval: counts, the reason when there are none, and nothing from before the start."""

from dataclasses import replace

import numpy as np
import pytest

from sre.errors import SreError
from sre.metrics.selector import parse_sum
from sre.slo.evaluate import evaluate
from sre.slo.model import BurnTier, DrillClock, RatioSli, RawSli, Slo, ThresholdSli

TOTAL = parse_sum('req{o=~"ok|error"}')
AVAILABILITY = RatioSli(total=TOTAL, bad=parse_sum('req{o="error"}'))
LATENCY = RatioSli(total=parse_sum("ttft_count"), good=parse_sum('ttft_bucket{le="1.0"}'))
CLOCK = DrillClock(60)


def slo(sli, target=0.999):
    return Slo("a", "A", "", "gateway", target, 28 * 86400.0, sli, "slo/a.yaml")


def run(source, sli=AVAILABILITY, *, start=0.0, end=100.0, **options):
    return evaluate(slo(sli), source, start=start, end=end, clock=CLOCK, **options)


def drill(samples, series, *, broken=(40, 50), ends=100):
    """10 requests a second; all fail while `broken`."""
    times = np.arange(-5.0, ends + 1)
    bad = 10 * np.clip(times - broken[0], 0, broken[1] - broken[0])
    total = 10 * (times + 5)
    return samples(
        series("req", times, total - bad, o="ok", job="g"),
        series("req", times, bad, o="error", job="g"),
        series("up", times, np.ones_like(times), job="g"),
    )


def test_counts_and_alerts_of_a_drill(samples, series):
    result = run(drill(samples, series))
    assert (result.total, result.good, result.error_ratio) == (1000, 900, pytest.approx(0.1))
    assert result.met is False
    assert {alert.tier for alert in result.alerts} >= {"page-1h", "page-6h"}
    page = next(alert for alert in result.alerts if alert.tier == "page-1h")
    assert page.fired_at == 41
    assert 50 < page.reset_at <= 56
    assert result.source == "memory"


def test_every_tier_has_a_curve_at_every_step(samples, series):
    result = run(drill(samples, series), end=20.0, step_s=0.5)
    assert len(result.curves) == 4
    for curve in result.curves:
        assert curve.times.tolist() == [0.5 * k for k in range(1, 41)]
        assert not np.isnan(curve.long_burn[1:]).any()


def test_what_happened_before_the_start_is_not_this_drills(samples, series):
    result = run(drill(samples, series, broken=(10, 30)), start=30.0, end=100.0)
    assert (result.total, result.error_ratio, result.alerts) == (700, 0.0, ())


def test_good_counters_give_the_same_as_bad_ones(samples, series):
    times = np.arange(0, 11.0)
    source = samples(series("ttft_count", times, 5 * times), series("ttft_bucket", times, 4 * times, le="1.0"))
    result = run(source, LATENCY, end=10.0)
    assert (result.total, result.good) == (50, 40)


def test_an_idle_service_is_unknown_and_says_so(samples, series):
    result = run(samples(series("req", range(10), [7] * 10, o="ok")), end=9.0)
    assert (result.total, result.error_ratio, result.met) == (0, None, None)
    assert "no events" in result.no_data_reason


def test_a_counter_nobody_scraped_is_unknown_and_names_itself(samples):
    result = run(samples())
    assert result.error_ratio is None
    assert "holds no req" in result.no_data_reason
    assert all(np.isnan(curve.long_burn).all() for curve in result.curves)


def test_a_service_that_stopped_being_scraped_is_unknown(samples, series):
    result = run(samples(series("req", [-30, -20], [1, 2], o="ok")))
    assert "no sample of req" in result.no_data_reason


def test_a_label_that_never_occurred_counts_nothing(samples, series):
    result = run(samples(series("req", range(10), range(10), o="ok")), end=9.0)
    assert result.error_ratio == 0.0


def test_a_misspelt_bad_counter_is_unknown_instead_of_perfect(samples, series):
    misspelt = RatioSli(total=TOTAL, bad=parse_sum('reqq{o="error"}'))
    result = run(samples(series("req", range(10), range(10), o="ok")), misspelt, end=9.0)
    assert result.error_ratio is None
    assert "holds no reqq" in result.no_data_reason


def test_the_first_error_ever_is_counted(samples, series):
    times = np.arange(0, 11.0)
    source = samples(
        series("req", times, 10 * times, o="ok", job="g"),
        series("req", [6, 7, 8, 9, 10], [3, 3, 3, 3, 3], o="error", job="g"),
        series("up", times, np.ones_like(times), job="g"),
    )
    assert run(source, end=10.0).total - run(source, end=10.0).good == 3


def test_a_clock_too_fast_for_the_scrapes_is_refused(samples):
    with pytest.raises(SreError, match="use at most 150x"):
        evaluate(slo(AVAILABILITY), samples(), start=0, end=10, clock=DrillClock(600))


def test_an_interval_must_have_a_length(samples):
    with pytest.raises(SreError, match="nothing to evaluate"):
        run(samples(), start=10, end=10)


@pytest.mark.parametrize("target", [0.9, 0.95, 0.99, 0.999, 0.9999])
def test_an_error_ratio_of_exactly_the_budget_is_met(samples, series, target):
    bad = round(10_000 * (1 - target))
    source = samples(series("req", [0, 1], [0, 10_000 - bad], o="ok"), series("req", [0, 1], [0, bad], o="error"))
    result = evaluate(slo(AVAILABILITY, target), source, start=0.0, end=1.0, clock=CLOCK)
    assert result.error_ratio == bad / 10_000
    assert result.met
    assert not replace(result, error_ratio=(bad + 1) / 10_000).met


def test_the_documents_own_tiers_are_used(samples, series):
    own = BurnTier("own", "ticket", 2.0, 600.0, 300.0, 0.01)
    result = evaluate(
        replace(slo(AVAILABILITY), tiers=(own,)), drill(samples, series), start=0.0, end=100.0, clock=CLOCK
    )
    assert [curve.tier for curve in result.curves] == [own]
    assert {alert.tier for alert in result.alerts} == {"own"}


def test_an_exact_answer_has_no_band(samples, series):
    assert run(drill(samples, series)).error_band is None


def test_a_threshold_between_two_bounds_gives_the_band_and_counts_the_most(samples, series):
    times = np.arange(0, 11.0)
    buckets = {"0.5": 6, "2.0": 9, "+Inf": 10}
    source = samples(
        series("ttft_count", times, 10 * times),
        *(series("ttft_bucket", times, rate * times, le=le) for le, rate in buckets.items()),
    )
    result = run(source, LATENCY, end=10.0)
    assert (result.error_ratio, result.error_band) == (pytest.approx(0.4), pytest.approx((0.1, 0.4)))
    assert result.good == 60


def test_time_slices_are_compressed_like_windows(samples, series):
    sliced = replace(slo(AVAILABILITY), method="Timeslices", slice_s=300.0, slice_target=0.99)
    result = evaluate(sliced, drill(samples, series), start=0.0, end=100.0, clock=CLOCK)
    # 5 s each; errors from 40 to 50
    assert (result.total, result.good) == (20, 18)
    assert {alert.tier for alert in result.alerts} >= {"page-1h"}
    assert result.slo.slice_s == 300


def test_a_clock_too_fast_for_the_slices_is_refused(samples):
    sliced = replace(slo(AVAILABILITY), method="Timeslices", slice_s=30.0, slice_target=0.99)
    with pytest.raises(SreError, match=r"leaves a time slice of 0\.5 s.*use at most 30x"):
        evaluate(sliced, samples(), start=0.0, end=100.0, clock=CLOCK)


@pytest.mark.parametrize("sli", [RawSli(parse_sum("ratio")), ThresholdSli(parse_sum("ratio"), "gte", 1.0)])
def test_gauges_are_evaluated_like_counters(samples, series, sli):
    times = np.arange(1.0, 101)
    result = run(samples(series("ratio", times, np.where((times > 40) & (times <= 50), 0.0, 1.0))), sli)
    assert (result.total, result.good, result.met) == (100, 90, False)
    assert {alert.tier for alert in result.alerts} >= {"page-1h"}


def test_nothing_in_a_result_is_nan_but_burn_without_events(samples, series):
    times = np.arange(0.0, 101)
    values = np.where(times % 7 == 0, np.nan, 10 * times)
    result = run(samples(series("req", times, values, o="ok"), series("req", times, values * 0 + 3, o="error")))
    assert result.error_ratio == 0
    for curve in result.curves:
        quiet = np.isnan(curve.long_burn)
        assert not quiet[5:].any()

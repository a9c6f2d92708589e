"""Several ratios of the same requests, from samples to what people are told: bounds, alerts, words, records."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.errors import NoData
from sre.incidents.codec import decode, encode
from sre.metrics.selector import parse_sum
from sre.slo.backtest.parquet_files import everything_read
from sre.slo.budget import Correction, budget_status
from sre.slo.evaluate import evaluate
from sre.slo.events import selectors_of, slo_events
from sre.slo.model import BurnTier, DrillClock, JointSli, RatioSli, RawSli, Slo, SloResult, ratios_of
from sre.slo.status import judge, standing
from sre.slo.status_json import standings_json
from sre.slo.words import band

FIRST = RatioSli(parse_sum("ttft_count"), good=parse_sum('ttft_bucket{le="1.0"}'))
SECOND = RatioSli(parse_sum("tpot_count"), good=parse_sum('tpot_bucket{le="0.05"}'))
BOTH = JointSli((FIRST, SECOND))
TIMES = np.arange(0.0, 11.0)
TIER = BurnTier("page", "page", 2.0, 4.0, 2.0, 0.1)
SLO = Slo("goodput", "Goodput", "", "vllm", 0.9, 28 * 86400.0, BOTH, "a.yaml", tiers=(TIER,))


def histogram(series, name, bound, times, good, total):
    """Its bucket and count, from what happened at each time."""
    counts = [(f"{name}_count", total, {}), (f"{name}_bucket", good, {"le": bound})]
    return [series(metric, times, np.cumsum(events), job="v", **labels) for metric, events, labels in counts]


def engine(samples, series, first, second, times=TIMES):
    """A source in which each criterion has (good, total) at each time."""
    up = series("up", times, np.ones_like(times), job="v")
    made = [histogram(series, "ttft", "1.0", times, *first), histogram(series, "tpot", "0.05", times, *second)]
    return samples(*made[0], *made[1], up)


def steady(share, rate=100.0):
    return np.full(TIMES.size, rate * share), np.full(TIMES.size, rate)


REQUESTS = st.lists(st.tuples(st.integers(1, 10), st.booleans(), st.booleans(), st.booleans()), max_size=40)


@settings(max_examples=100, deadline=None)
@given(requests=REQUESTS, apart=st.sampled_from(["none", "unseen", "beyond"]), start=st.integers(0, 9))
def test_the_band_holds_what_happened_to_simulated_requests(samples, series, requests, apart, start):
    """`unseen`: some never finish, how they fared is hidden. `beyond`: some finish that the first never saw."""
    counts = np.zeros((4, TIMES.size))
    truth = np.zeros((2, TIMES.size))
    for at, slow_start, slow_tokens, odd in requests:
        in_first, in_second = not (odd and apart == "beyond"), not (odd and apart == "unseen")
        counts[0, at] += in_first and not slow_start
        counts[1, at] += in_first
        counts[2, at] += in_second and not slow_tokens
        counts[3, at] += in_second
        truth[0, at] += in_first and (slow_start or slow_tokens)
        truth[1, at] += in_first
    source = engine(samples, series, counts[:2], counts[2:])
    events = slo_events(source, SLO, start=0.0, end=10.0)
    bad, total = (float(one[start + 1 :].sum()) for one in truth)
    most, seen = events.between(float(start), 10.0)
    assert seen == total
    assert events.least_between(float(start), 10.0) <= bad <= most <= total


def test_a_drills_result_has_the_band_and_alerts_go_by_the_most(samples, series):
    source = engine(samples, series, steady(0.9), steady(0.8))
    result = evaluate(SLO, source, start=0.0, end=10.0, clock=DrillClock(1.0))
    assert result.total == 1000
    assert result.error_band == pytest.approx((0.2, 0.3))
    assert result.error_ratio == pytest.approx(0.3)
    assert result.curves[0].long_burn[-1] == pytest.approx(3.0)
    assert [alert.tier for alert in result.alerts] == ["page"]
    calm = evaluate(replace(SLO, target=0.86), source, start=0.0, end=10.0, clock=DrillClock(1.0))
    assert calm.curves[0].long_burn[-1] == pytest.approx(0.3 / 0.14)
    assert calm.alerts
    assert calm.error_band[0] / 0.14 < TIER.factor  # the least alone would be silent


def test_a_criterion_that_is_not_watched_leaves_everything_unknown(samples, series):
    alone = samples(*histogram(series, "ttft", "1.0", TIMES, *steady(0.9)))
    with pytest.raises(NoData, match="tpot_count"):
        slo_events(alone, SLO, start=0.0, end=10.0)
    assert standing(alone, SLO, at=10.0).state == "no data"


def test_a_criterion_whose_bound_lies_between_buckets_widens_the_band(samples, series):
    """Of the second's requests 10 % lie between 0.025 and 0.1 s: bad in the most, good in the least."""
    source = engine(samples, series, steady(0.9), steady(1.0))
    buckets = [
        series("tpot_bucket", TIMES, np.cumsum(steady(share)[0]), job="v", le=le)
        for le, share in (("0.025", 0.85), ("0.1", 0.95))
    ]
    rough = samples(*(one for one in source.all if one.id.name != "tpot_bucket"), *buckets)
    events = slo_events(rough, SLO, start=0.0, end=10.0)
    assert events.between(0.0, 10.0)[0] == pytest.approx(100 + 150)
    assert events.least_between(0.0, 10.0) == pytest.approx(100)


def test_the_budget_keeps_the_band_through_corrections(samples, series):
    source = engine(samples, series, steady(0.9), steady(0.8))
    events = slo_events(source, SLO, start=0.0, end=10.0)
    excluded = Correction(0.0, 5.0, None, "announced", "ana", 10.0)
    status = budget_status(SLO, events, at=10.0, corrections=(excluded,))
    assert status.total == 500
    assert status.error_band == pytest.approx((0.2, 0.3))


def test_the_band_is_told_in_words_and_in_the_record(samples, series):
    events = slo_events(engine(samples, series, steady(0.99), steady(0.981)), SLO, start=0.0, end=10.0)
    one = judge(SLO, events, at=10.0)
    assert "It is known within a band: between 97.1 % and 98.1 % good" in one.words
    record = json.loads(json.dumps(standings_json([one]), default=str, allow_nan=False))["slos"][0]
    assert record["error_band"] == pytest.approx([0.019, 0.029])
    assert record["error_ratio"] == pytest.approx(0.029)


def test_a_latency_threshold_between_bounds_is_told_as_a_band_too(samples, series):
    made = [
        series("ttft_bucket", TIMES, np.cumsum(steady(share)[0]), job="v", le=le)
        for le, share in (("0.5", 0.971), ("2.0", 0.99), ("+Inf", 1.0))
    ]
    source = samples(*made, series("ttft_count", TIMES, np.cumsum(steady(1.0)[1]), job="v"))
    rough = replace(SLO, sli=FIRST)
    assert "between 97.1 % and 99.0 % good" in standing(source, rough, at=10.0).words
    exact = replace(SLO, sli=RatioSli(FIRST.total, good=parse_sum('ttft_bucket{le="0.5"}')))
    assert "band" not in standing(source, exact, at=10.0).words


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        ((0.01, 0.029), "between 97.1 % and 99.0 % good"),
        ((0.0, 1.0), "between 0.0 % and 100.0 % good"),
        ((0.0001, 0.0002), "between 99.98 % and 99.99 % good"),
        ((0.0, 0.00001), "between 99.999 % and 100.000 % good"),
        ((0.00001, 0.5), "between 50.000 % and 99.999 % good"),
    ],
)
def test_the_ends_of_a_band_never_read_alike_nor_as_all(errors, words):
    assert band(errors) == words


def test_what_is_read_and_watched_are_the_selectors_of_every_criterion():
    assert selectors_of(BOTH) == (*FIRST.total, *SECOND.total)
    assert {*FIRST.good, *SECOND.good, *selectors_of(BOTH)} < set(everything_read(BOTH))
    assert ratios_of(FIRST) == (FIRST,)
    assert ratios_of(RawSli(parse_sum("x"))) == ()


@pytest.mark.parametrize("sli", [BOTH, FIRST, RawSli(parse_sum("r"), failure=True)], ids=lambda sli: type(sli).__name__)
def test_a_report_keeps_every_criterion(samples, series, sli):
    source = engine(samples, series, steady(0.9), steady(0.8))
    result = replace(
        evaluate(SLO, source, start=0.0, end=10.0, clock=DrillClock(1.0)), slo=replace(SLO, sli=sli), curves=()
    )
    back = decode(SloResult, json.loads(json.dumps(encode(result))), "report.json")
    assert (back.slo, back.error_band) == (result.slo, result.error_band)

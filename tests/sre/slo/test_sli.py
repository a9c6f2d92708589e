"""Current values for probes: ratios and quantiles over the last seconds, NoData instead of a guess."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.errors import NoData
from sre.metrics.selector import parse_sum
from sre.slo.model import RatioSli
from sre.slo.sli import histogram_quantile, quantile_over, ratio_over

SLI = RatioSli(total=parse_sum("ok + bad"), bad=parse_sum("bad"))
TIMES = np.arange(0, 31.0)


def test_ratio_counts_the_last_seconds(samples, series):
    source = samples(series("ok", TIMES, 9 * TIMES), series("bad", TIMES, np.maximum(TIMES - 25, 0)))
    assert ratio_over(source, SLI, end=30, window_s=10) == (90, 95)


def test_watched_but_idle_is_zero_of_zero_and_unwatched_is_no_data(samples, series):
    source = samples(series("ok", TIMES, 0 * TIMES), series("bad", TIMES, 0 * TIMES))
    assert ratio_over(source, SLI, end=30, window_s=10) == (0, 0)
    with pytest.raises(NoData, match="no sample"):
        ratio_over(source, SLI, end=50, window_s=10)
    with pytest.raises(NoData):
        ratio_over(samples(), SLI, end=30, window_s=10)


def histogram(series, rates, **labels):
    return [series("ttft_bucket", TIMES, rate * TIMES, le=le, **labels) for le, rate in rates.items()]


def test_quantile_interpolates_in_its_bucket(samples, series):
    source = samples(*histogram(series, {"0.1": 2.0, "1.0": 4.0, "+Inf": 4.0}))
    assert quantile_over(source, "ttft", 0.75, end=30, window_s=10) == pytest.approx(0.1 + 0.9 / 2)


def test_quantile_sums_over_series_first(samples, series):
    quick = histogram(series, {"0.1": 9.0, "1.0": 9.0, "+Inf": 9.0}, replica="a")
    slow = histogram(series, {"0.1": 0.0, "1.0": 1.0, "+Inf": 1.0}, replica="b")
    assert quantile_over(samples(*quick, *slow), "ttft", 0.95, end=30, window_s=10) == pytest.approx(0.55)


def test_quantile_of_nothing_is_no_data(samples, series):
    with pytest.raises(NoData, match="observed nothing"):
        quantile_over(samples(*histogram(series, {"0.1": 0.0, "+Inf": 0.0})), "ttft", 0.5, end=30, window_s=10)
    with pytest.raises(NoData, match="ttft_bucket"):
        quantile_over(samples(), "ttft", 0.5, end=30, window_s=10)


@pytest.mark.parametrize(
    ("q", "buckets", "expected"),
    [
        (0.5, {1.0: 10, math.inf: 10}, 0.5),
        (0.0, {1.0: 10, math.inf: 10}, 0.0),
        (1.0, {1.0: 10, 2.0: 20, math.inf: 20}, 2.0),
        (0.99, {1.0: 10, 2.0: 20, math.inf: 40}, 2.0),  # above the last bound: that bound
        (0.5, {-1.0: 10, 1.0: 10, math.inf: 10}, -1.0),  # a first bucket below 0 has no lower end
        (0.75, {1.0: 10, 2.0: 9, 4.0: 20, math.inf: 20}, 3.0),  # a dip is read as flat
        (0.5, {1.0: 0, math.inf: 0}, None),
        (0.5, {1.0: 10, 2.0: 20}, None),  # without +Inf the count is unknown
        (0.5, {math.inf: 20}, None),
    ],
)
def test_quantiles_are_promqls(q, buckets, expected):
    assert histogram_quantile(q, buckets) == (expected if expected is None else pytest.approx(expected))


@given(
    counts=st.lists(st.integers(0, 50), min_size=2, max_size=8).filter(lambda c: sum(c) > 0),
    q=st.floats(0, 1, allow_nan=False),
)
def test_a_quantile_lies_in_the_bucket_of_its_rank(counts, q):
    bounds = [*(float(i + 1) for i in range(len(counts) - 1)), math.inf]
    cumulative = dict(zip(bounds, np.cumsum(counts).tolist(), strict=True))
    value = histogram_quantile(q, cumulative)
    rank = q * sum(counts)
    upper = next(bound for bound in bounds if cumulative[bound] >= rank)
    if math.isinf(upper):
        assert value == bounds[-2]
    else:
        assert upper - 1 <= value <= upper


def test_a_quantile_is_between_0_and_1():
    with pytest.raises(ValueError, match="between 0 and 1"):
        histogram_quantile(95, {1.0: 1, math.inf: 1})

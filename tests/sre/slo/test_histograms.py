"""Bounds however they are written, bands between bounds, and native histograms with their restarts."""

import math
import re
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.errors import NoData
from sre.metrics.model import HistogramSeries, SeriesId
from sre.metrics.selector import parse_selector, parse_sum
from sre.slo.events import read_events
from sre.slo.histograms import native_side, native_total, neighbours, spelled
from sre.slo.model import RatioSli

TIMES = np.arange(0.0, 11.0)


@pytest.mark.parametrize(
    ("bound", "texts"),
    [
        (1.0, ["1", "1.0", "1.000", "1e0", "1e+00", "01", "+1", "1E0"]),
        (0.5, ["0.5", ".5", "0.50", "5e-1", "5.0e-01"]),
        (0.0, ["0", "0.0", "-0"]),
        (2.5, ["2.5", "2.50", "2.5e0", "2.5e+00"]),
        (1000.0, ["1000", "1000.0", "1e3", "1e+03", "1.0e3"]),
        (0.00025, ["0.00025", "2.5e-4", "2.5e-04"]),
        (-1.5, ["-1.5", "-1.50", "-1.5e0"]),
        (math.inf, ["+Inf", "Inf", "inf"]),
    ],
)
def test_every_way_to_write_a_bound_is_found(bound, texts):
    for text in texts:
        assert float(text) == bound
        assert re.fullmatch(spelled(bound), text), text


@given(
    bound=st.floats(1e-9, 1e9).map(lambda x: float(f"{x:.6g}")),
    other=st.floats(1e-9, 1e9).map(lambda x: float(f"{x:.6g}")),
)
def test_a_bounds_pattern_matches_it_and_nothing_else(bound, other):
    for text in (repr(other), f"{other:g}", f"{other:e}", f"{Decimal(repr(other)):.15f}"):
        assert bool(re.fullmatch(spelled(bound), text)) == (float(text) == bound)


def test_neighbours_are_the_nearest_on_either_side():
    assert neighbours([1, 5, 0.5, math.inf], 2) == (1, 5)
    assert neighbours([1, 5], 0.1) == (None, 1)
    assert neighbours([1, 5], 7) == (5, None)


def histogram(series, rates, **labels):
    buckets = [series("t_bucket", TIMES, rate * TIMES, le=le, **labels) for le, rate in rates.items()]
    return [*buckets, series("t_count", TIMES, max(rates.values()) * TIMES, **labels)]


def latency(bound, *, total="t_count"):
    return RatioSli(total=parse_sum(total), good=parse_sum(f't_bucket{{le="{bound}"}}'))


def measured(source, sli, *, start=0.0, end=10.0):
    events = read_events(source, sli, start=start, end=end)
    bad, total = events.between(start, end)
    return bad, events.least_between(start, end), total


@pytest.mark.parametrize("written", ["0.5", "0.50", "5e-1"])
@pytest.mark.parametrize("asked", ["0.5", "0.500", "5e-01"])
def test_a_bound_is_a_number_not_a_text(samples, series, written, asked):
    source = samples(*histogram(series, {written: 8.0, "5": 9.0, "+Inf": 10.0}))
    events = read_events(source, latency(asked), start=0, end=10)
    assert events.is_exact
    assert events.between(0, 10) == (20, 100)


def test_replicas_may_write_it_differently(samples, series):
    source = samples(
        *histogram(series, {"1": 8.0, "+Inf": 10.0}, r="a"), *histogram(series, {"1.0": 5, "+Inf": 10}, r="b")
    )
    assert measured(source, latency("1")) == (70, 70, 200)


@pytest.mark.parametrize(
    ("asked", "most", "least"), [("1.0", 20, 10), ("0.1", 100, 20), ("7", 10, 0)], ids=["between", "below", "above"]
)
def test_a_threshold_between_two_bounds_gives_a_band(samples, series, asked, most, least):
    source = samples(*histogram(series, {"0.5": 8.0, "5": 9.0, "+Inf": 10.0}))
    assert measured(source, latency(asked)) == (most, least, 100)


def test_only_the_replica_that_lacks_the_bound_is_uncertain(samples, series):
    sure = histogram(series, {"1": 8.0, "5": 9.0, "+Inf": 10.0}, r="a")
    unsure = histogram(series, {"0.5": 8.0, "5": 9.0, "+Inf": 10.0}, r="b")
    assert measured(samples(*sure, *unsure), latency("1")) == (40, 30, 200)


def test_bad_events_from_a_bucket_have_the_band_the_other_way_round(samples, series):
    source = samples(*histogram(series, {"0.5": 8.0, "5": 9.0, "+Inf": 10.0}))
    sli = RatioSli(total=parse_sum("t_count"), bad=parse_sum('t_bucket{le="1"}'))
    assert measured(source, sli) == (90, 80, 100)


def test_the_infinite_bucket_serves_as_total(samples, series):
    source = samples(*histogram(series, {"1": 8.0, "Inf": 10.0}))
    assert measured(source, latency("1", total='t_bucket{le="+Inf"}')) == (20, 20, 100)


def test_a_histogram_nobody_knows_is_named(samples):
    with pytest.raises(NoData, match="holds no t_count"):
        read_events(samples(), latency("1"), start=0, end=10)


class NativeSamples:
    """A source with native histograms only; `samples` is the memory source for everything else."""

    name = "native"

    def __init__(self, plain, *found):
        self._plain, self._found = plain, found

    def series(self, selector, *, start, end):
        return self._plain.series(selector, start=start, end=end)

    def histograms(self, selector, *, start, end):
        assert selector == parse_selector("t")
        return list(self._found)


def native(times, buckets):
    """`buckets[i]` maps (lower, upper) to the count in sample i."""
    as_arrays = [
        tuple(np.array(part, dtype=float) for part in (*zip(*one, strict=True), list(one.values()))) if one else _EMPTY
        for one in [dict(sorted(b.items())) for b in buckets]
    ]
    lowers, bounds, counts = zip(*as_arrays, strict=True)
    totals = np.array([sum(b.values()) for b in buckets], dtype=float)
    return HistogramSeries(SeriesId("t", ()), np.array(times, dtype=float), totals, lowers, bounds, counts)


_EMPTY = (np.empty(0), np.empty(0), np.empty(0))


@pytest.mark.parametrize(("asked", "most", "least"), [("1", 6, 6), ("1.5", 6, 1), ("2", 1, 1), ("9", 1, 0)])
def test_native_histograms_answer_where_there_is_no_classic_one(samples, asked, most, least):
    one = native([0, 5, 10], [{(0.5, 1): 1}, {(0.5, 1): 3, (1, 2): 2}, {(0.5, 1): 5, (1, 2): 5, (8, 16): 1}])
    assert measured(NativeSamples(samples(), one), latency(asked)) == (most, least, 10)


def test_a_native_histogram_that_began_anew_counts_from_0():
    one = native([1, 2, 3], [{(0, 1): 9}, {(0, 1): 2, (1, 2): 8}, {(0, 1): 3, (1, 2): 9}])
    assert native_total([one], after=0).between(0, 9) == 12
    assert native_side([one], 1.0, after=0).least.between(0, 9) == 3


def test_a_bucket_that_vanished_is_a_restart_and_one_that_was_merged_is_none():
    vanished = native([1, 2], [{(0, 1): 2, (1, 2): 1}, {(0, 1): 5}])
    merged = native([1, 2], [{(0, 1): 2, (1, 2): 1}, {(0, 2): 5}])
    assert native_total([vanished], after=0).between(0, 9) == 5
    assert native_total([merged], after=0).between(0, 9) == 2


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 4), min_size=4, max_size=4)), max_size=12))
def test_native_counts_agree_with_a_walk(steps):
    edges = [(0, 1), (1, 2), (2, 4), (4, 8)]
    state, shown, expected = [0] * 4, [], [0] * 4
    for restarts, more in steps:
        lost = restarts and any(now > new for now, new in zip(state, more, strict=True))
        before = [0] * 4 if lost or not shown else state
        state = list(more) if lost else [a + b for a, b in zip(state, more, strict=True)]
        if shown:
            expected = [e + s - b for e, s, b in zip(expected, state, before, strict=True)]
        shown.append({edge: n for edge, n in zip(edges, state, strict=True) if n})
    one = native(range(len(shown)), shown) if shown else None
    found = [] if one is None else [one]
    assert native_total(found, after=-1).between(-1, 99) == sum(expected)
    for bound, inside, maybe in ((2, 2, 0), (3, 2, 1), (100, 4, 0)):
        side = native_side(found, bound, after=-1)
        assert side.least.between(-1, 99) == sum(expected[:inside])
        assert side.most.between(-1, 99) == sum(expected[: inside + maybe])


def test_the_infinite_bucket_of_a_native_histogram_is_its_count(samples):
    one = native([0, 5], [{(0.5, 1): 1}, {(0.5, 1): 3, (1, 2): 2}])
    assert measured(NativeSamples(samples(), one), latency("1", total='t_bucket{le="+Inf"}')) == (2, 2, 4)


def test_classic_buckets_come_before_native_ones(samples, series):
    one = native([0, 5], [{(0.5, 1): 1}, {(0.5, 1): 99}])
    classic = samples(*histogram(series, {"1": 8.0, "+Inf": 10.0}))
    assert measured(NativeSamples(classic, one), latency("1")) == (20, 20, 100)


def test_samples_without_a_number_leave_a_native_histogram_whole(samples):
    one = native([0, 3, 5], [{(0.5, 1): 1}, {}, {(0.5, 1): 3}])
    stale = HistogramSeries(one.id, one.times, np.array([1, np.nan, 3]), one.lowers, one.bounds, one.counts)
    assert measured(NativeSamples(samples(), stale), latency("1")) == (0, 0, 2)


def test_a_bound_that_is_written_anew_midway_is_no_new_counter(samples, series):
    """Prometheus 3 writes le="1.0" where Prometheus 2 wrote le="1"."""
    up = series("up", TIMES, np.ones(11), job="j")
    total = series("t_count", TIMES, 1000 + 10 * TIMES, job="j")
    old = series("t_bucket", TIMES[:6], 800 + 8 * TIMES[:6], le="1", job="j")
    new = series("t_bucket", TIMES[6:], 800 + 8 * TIMES[6:], le="1.0", job="j")
    assert measured(samples(up, total, old, new), latency("1")) == (20, 20, 100)

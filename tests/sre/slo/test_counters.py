"""Counters become events: restarts, births and gaps neither lose events nor make them up."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.slo.counters import Births, event_curve, increments, sum_of


def amounts(one, *, born=False):
    return increments(one, born=born)[1].tolist()


def test_the_first_sample_is_the_base(series):
    assert amounts(series("c", [1, 2, 3], [100, 103, 103])) == [0, 3, 0]


def test_a_restart_counts_from_zero(series):
    assert amounts(series("c", [1, 2, 3, 4], [10, 12, 2, 5])) == [0, 2, 2, 3]


def test_a_series_born_under_observation_counts_from_zero(series):
    born = series("c", [3, 4], [2, 5], job="g", outcome="error")
    up = series("up", [1, 2, 3, 4], [1, 1, 1, 1], job="g")
    assert event_curve([born], up=[up]).between(0, 10) == 5


@pytest.mark.parametrize(
    ("up_times", "up_values", "labels"),
    [
        ([3, 4], [1, 1], {"job": "g"}),  # observation began with it
        ([1, 2, 3, 4], [0, 0, 1, 1], {"job": "g"}),  # nobody could see it before: it may be old
        ([1, 2, 3, 4], [1, 1, 1, 1], {"job": "other"}),  # another target
    ],
)
def test_a_series_that_may_be_older_is_only_based(series, up_times, up_values, labels):
    late = series("c", [3, 4], [1000, 1003], job="g")
    assert event_curve([late], up=[series("up", up_times, up_values, **labels)]).between(0, 10) == 3


def test_a_gap_keeps_its_events_for_the_next_sample(series):
    curve = event_curve([series("c", [1, 2, 8], [0, 1, 7])])
    assert curve.between(2, 7) == 0
    assert curve.between(7, 8) == 6


def test_windows_are_open_on_the_left_and_touching_ones_add_up(series):
    curve = event_curve([series("c", [1, 2, 3], [0, 1, 3])])
    assert curve.between(1, 2) + curve.between(2, 3) == curve.between(1, 3) == 3


def test_series_are_summed(series):
    curve = event_curve([series("c", [1, 3], [0, 1], a="1"), series("c", [2, 4], [5, 9], a="2")])
    assert curve.between(0, 10) == 5


def test_nothing_before_the_start_is_counted(series):
    curve = event_curve([series("c", [1, 2, 3], [0, 100, 101])], after=2)
    assert curve.between(0, 10) == 1


def test_no_series_is_an_empty_curve():
    assert event_curve([]).before(np.array([0.0, 1.0])).tolist() == [0, 0]


def test_a_stale_marker_ends_nothing_and_leaks_nothing(series):
    one = series("c", [1, 2, 3, 4, 5], [10, 12, np.nan, np.nan, 15])
    curve = event_curve([one])
    assert curve.between(0, 10) == 5
    assert curve.between(2, 4) == 0
    assert np.isfinite(curve.counts).all()


@pytest.mark.parametrize(("back", "events"), [(20, 8), (3, 3)], ids=["higher: it went on", "lower: it began anew"])
def test_a_series_that_comes_back(series, back, events):
    assert event_curve([series("c", [1, 2, 60], [10, 12, back])]).between(2, 60) == events


def test_a_target_that_vanished_adds_nothing(series):
    gone, other = series("c", [1, 2], [0, 5], a="1"), series("c", [1, 2, 3, 4], [0, 1, 2, 3], a="2")
    assert event_curve([gone, other]).between(2, 4) == 2


def test_samples_out_of_order_and_twice_are_put_right(series):
    assert event_curve([series("c", [3, 1, 2, 2, 3], [9, 1, 4, 400, 0])]).between(0, 10) == 8


def test_values_that_are_no_counts_add_nothing(series):
    curve = event_curve([series("c", [1, 2, 3, 4], [5, -3, np.inf, 4])])
    assert np.isfinite(curve.counts).all()
    assert (np.diff(curve.counts) >= 0).all()


@pytest.mark.parametrize(
    ("labels", "counted"),
    [
        ({"instance": "a", "outcome": "error"}, 7),
        ({"instance": "b", "outcome": "error"}, 2),  # nobody is known to have watched b
        ({"instance": "a", "method": "PUT", "outcome": "error"}, 2),
    ],
)
def test_without_up_a_sibling_shows_that_the_target_was_watched(series, labels, counted):
    sibling = series("c", [1, 2, 3], [0, 1, 2], instance="a", outcome="ok")
    late = series("c", [2, 3], [5, 7], **labels)
    births = Births(witnesses=[sibling, late], kinds={"outcome"})
    assert event_curve([late], births=births).between(0, 10) == counted


def test_where_a_target_has_up_its_siblings_do_not_matter(series):
    sibling = series("c", [1, 2, 3], [0, 1, 2], instance="a", outcome="ok")
    late = series("c", [2, 3], [5, 7], instance="a", outcome="error")
    up = series("up", [1, 2, 3], [0, 1, 1], instance="a")
    births = Births(up=[up], witnesses=[sibling], kinds={"outcome"})
    assert event_curve([late], births=births).between(0, 10) == 2


def test_excluded_ranges_take_their_events_once(series):
    curve = event_curve([series("c", [1, 2, 3, 4], [0, 1, 3, 7])])
    left = curve.without([(1, 3), (2, 3)])
    assert (left.between(0, 3), left.between(3, 4), left.between(0, 10)) == (0, 4, 4)
    assert curve.between(0, 10) == 7


SAMPLES = st.lists(
    st.tuples(st.integers(0, 40), st.one_of(st.integers(0, 9), st.just(math.nan))), min_size=0, max_size=20
)


def slow_events(samples, start, end):
    """The obvious implementation: walk over the samples, first of a time wins."""
    seen = {}
    for at, value in samples:
        if not math.isnan(value):
            seen.setdefault(at, value)
    events, last = 0.0, None
    for at in sorted(seen):
        if last is not None and start < at <= end:
            events += seen[at] - last if seen[at] >= last else seen[at]
        last = seen[at]
    return events


@settings(max_examples=300, deadline=None)
@given(all_samples=st.lists(SAMPLES, max_size=4), start=st.integers(-1, 41), length=st.integers(0, 42))
def test_agrees_with_a_walk_over_the_samples(series, all_samples, start, length):
    made = [series("c", [t for t, _ in s], [v for _, v in s], n=str(n)) for n, s in enumerate(all_samples)]
    curve = event_curve(made)
    assert curve.between(start, start + length) == sum(slow_events(s, start, start + length) for s in all_samples)
    assert event_curve(made, after=start).between(-1, start + length) == curve.between(start, start + length)


@settings(max_examples=100, deadline=None)
@given(data=st.lists(SAMPLES.filter(len), min_size=1, max_size=3), more=SAMPLES)
def test_sums_and_differences_of_curves_are_those_of_their_events(series, data, more):
    curves = [event_curve([series("c", [t for t, _ in s], [v for _, v in s])]) for s in data]
    less = event_curve([series("c", [t for t, _ in more], [v for _, v in more])])
    at = np.arange(-1.0, 42)
    together = sum_of(curves)
    assert together.before(at) == pytest.approx(sum(curve.before(at) for curve in curves))
    assert together.minus(less).before(at) == pytest.approx(together.before(at) - less.before(at))

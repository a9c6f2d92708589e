"""Counters become events: restarts, births and gaps neither lose events nor make them up."""

import numpy as np
import pytest

from sre.slo.counters import event_curve, increments


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

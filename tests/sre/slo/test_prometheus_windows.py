"""Our vectorized `increase` against a slow one that reads like the rules; tests/integration has the real Prometheus."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.slo.prometheus_windows import (
    PROMETHEUS_2,
    PROMETHEUS_3,
    CounterWindows,
    error_ratio,
    increase,
    rate,
)

BOTH = pytest.mark.parametrize("convention", [PROMETHEUS_2, PROMETHEUS_3], ids=lambda c: c.name)


def slow_increase(times_ms, values, at_ms, window_ms, convention):
    """One window, one sample after the other."""
    start = at_ms - window_ms
    inside = [
        (t, v)
        for t, v in zip(times_ms, values, strict=True)
        if t <= at_ms and (t >= start if convention.closed else t > start) and not math.isnan(v)
    ]
    if len(inside) < 2:
        return math.nan
    grown = inside[-1][1] - inside[0][1]
    for (_, before), (_, after) in pairwise(inside):
        if after < before:
            grown += before
    covered = (inside[-1][0] - inside[0][0]) / 1000
    mean = covered / (len(inside) - 1)
    head, tail = (inside[0][0] - start) / 1000, (at_ms - inside[-1][0]) / 1000
    zero = covered * inside[0][1] / grown if grown > 0 and inside[0][1] >= 0 else math.inf
    if convention.zero_first:
        head = min(head, zero)
    if head >= 1.1 * mean:
        head = mean / 2
    if not convention.zero_first:
        head = min(head, zero)
    if tail >= 1.1 * mean:
        tail = mean / 2
    return grown * (covered + head + tail) / covered


@st.composite
def counters(draw):
    gaps = draw(st.lists(st.sampled_from([1, 500, 1000, 1000, 1000, 1099, 1100, 1101, 5000]), min_size=1, max_size=40))
    steps = draw(st.lists(st.sampled_from([0, 0, 1, 2, 50, -1, math.nan]), min_size=len(gaps), max_size=len(gaps)))
    value = draw(st.sampled_from([0.0, 1.0, 7.0, 1000.0]))
    values = []
    for step in steps:
        if math.isnan(step):
            values.append(math.nan)
            continue
        value = draw(st.sampled_from([0.0, 1.0, 3.0])) if step < 0 else value + step
        values.append(value)
    return np.cumsum(gaps) + draw(st.integers(0, 3000)), np.array(values)


@BOTH
@settings(max_examples=200)
@given(counters(), st.sampled_from([1000, 2000, 2500, 7000, 31_000]), st.sampled_from([500, 1000, 1500]), st.booleans())
def test_any_window_of_any_counter_is_what_the_rules_say(convention, series, counter, window, step, announced):
    times_ms, values = counter
    grid = np.arange(0, 60) * step
    one = series("x_total", times_ms / 1000, values)
    windows = [window / 1000] if announced else []
    found = CounterWindows([[one]], grid / 1000, convention, windows_s=windows).increase(window / 1000)[0]
    slow = [slow_increase(times_ms.tolist(), values.tolist(), at, window, convention) for at in grid.tolist()]
    np.testing.assert_allclose(found, slow, rtol=1e-12, equal_nan=True)


def test_a_sample_on_the_windows_start_counts_in_2x_only(series):
    one = series("x_total", [0, 10, 20], [100, 101, 102])
    assert increase(one, np.array([10.0]), 10.0, PROMETHEUS_2)[0] == pytest.approx(1)
    assert np.isnan(increase(one, np.array([10.0]), 10.0, PROMETHEUS_3)[0])


def test_a_restart_adds_what_the_counter_stood_at(series):
    one = series("x_total", [0, 10, 20, 30], [100, 110, 5, 10])
    assert increase(one, np.array([30.0]), 30.0, PROMETHEUS_2)[0] == pytest.approx(20)


def test_a_series_born_inside_the_window_is_stretched_to_its_zero(series):
    one = series("x_total", [60, 70, 80], [1, 11, 21])
    # 20 in 20 s: it stood at 0 one second before its first sample, five are the half interval
    assert increase(one, np.array([80.0]), 60.0, PROMETHEUS_3)[0] == pytest.approx(21)


def test_the_two_versions_differ_where_zero_lies_between_half_and_a_whole_interval(series):
    one = series("x_total", [60, 70, 80], [8, 18, 28])
    assert increase(one, np.array([80.0]), 60.0, PROMETHEUS_2)[0] == pytest.approx(28)
    assert increase(one, np.array([80.0]), 60.0, PROMETHEUS_3)[0] == pytest.approx(25)


@BOTH
def test_a_staleness_marker_is_no_sample(convention, series):
    with_marker = series("x_total", [0, 10, 20, 30], [5, 6, np.nan, 8])
    without = series("x_total", [0, 10, 30], [5, 6, 8])
    times = np.array([15.0, 30.0, 40.0])
    np.testing.assert_array_equal(
        increase(with_marker, times, 35.0, convention), increase(without, times, 35.0, convention)
    )


@BOTH
def test_less_than_two_samples_is_no_value_and_no_zero(convention, series):
    assert np.isnan(increase(series("x_total", [10], [5]), np.array([12.0]), 10.0, convention)).all()
    assert np.isnan(increase(series("x_total", [], []), np.array([12.0]), 10.0, convention)).all()


@BOTH
def test_a_sum_leaves_out_series_without_value_and_has_none_when_all_lack(convention, series):
    steady = series("x_total", np.arange(0, 100, 10), np.arange(10), pod="a")
    late = series("x_total", [70, 80, 90], [1000, 1003, 1006], pod="b")
    (both,) = CounterWindows([[steady, late]], np.array([45.0, 95.0, 500.0]), convention).increase(30.0)
    alone = increase(steady, np.array([45.0, 95.0]), 30.0, convention)
    assert both[0] == alone[0]
    assert both[1] > alone[1]
    assert np.isnan(both[2])


def test_rate_is_increase_by_second(series):
    one = series("x_total", np.arange(0, 100, 10), np.arange(10) * 30.0)
    assert rate(one, np.array([90.0]), 60.0, PROMETHEUS_2)[0] == pytest.approx(3)


def test_no_evaluation_times_give_no_values(series):
    one = series("x_total", [0, 10], [0, 1])
    assert increase(one, np.empty(0), 60.0, PROMETHEUS_2).size == 0


def test_the_ratio_divides_as_promql_does():
    ratio = error_ratio(np.array([1.0, 0.0, 2.0, np.nan, 1.0]), np.array([4.0, 0.0, 0.0, 5.0, np.nan]))
    np.testing.assert_array_equal(ratio, [0.25, np.nan, np.inf, np.nan, np.nan])

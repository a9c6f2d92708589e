"""The binomial test against whole numbers: sums of binomial terms as fractions."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.slo.low_traffic import binomial_tail


def slow_tail(bad, total, probability):
    p = Fraction(probability)
    return float(sum(comb(total, k) * p**k * (1 - p) ** (total - k) for k in range(bad, total + 1)))


@settings(max_examples=200, deadline=None)
@given(
    total=st.integers(1, 120),
    share=st.floats(0, 1),
    probability=st.sampled_from([0.1, 0.05, 0.01, 0.001, 0.0001, 0.5]),
)
def test_agrees_with_the_sum_of_the_terms(total, share, probability):
    bad = round(share * total)
    seen = binomial_tail(np.array([float(bad)]), np.array([float(total)]), probability)[0]
    assert seen == pytest.approx(slow_tail(bad, total, probability), rel=1e-9, abs=1e-300)


def test_one_failure_of_ten_is_plausible_where_one_of_a_thousand_is_allowed():
    one, two = binomial_tail(np.array([1.0, 2.0]), np.array([10.0, 10.0]), 0.001)
    assert one == pytest.approx(1 - 0.999**10)
    assert two < 1e-4 < one


def test_the_ends_are_certain():
    tail = binomial_tail(np.array([0.0, 0.0, 5.0, 3.0]), np.array([0.0, 7.0, 5.0, 2.0]), 0.1)
    assert tail == pytest.approx([1, 1, 0.1**5, 0.1**2])


def test_counts_in_part_lean_towards_the_larger_p_value():
    assert binomial_tail(np.array([1.7]), np.array([9.2]), 0.01) == binomial_tail(
        np.array([1.0]), np.array([10.0]), 0.01
    )


@pytest.mark.parametrize("total", [1e5, 1e7])
def test_a_large_count_is_as_likely_as_the_normal_curve_says(total):
    budget, sigma = 0.001, np.sqrt(total * 0.001 * 0.999)
    at_mean, far = binomial_tail(np.array([total * budget, total * budget + 10 * sigma]), np.full(2, total), budget)
    assert at_mean == pytest.approx(0.5, abs=0.05)
    assert 0 < far < 1e-15  # 7.6e-24 by the normal curve, whose tail is too thin here


def test_more_bad_events_are_never_likelier():
    bad = np.arange(0.0, 400.0)
    assert (np.diff(binomial_tail(bad, np.full(400, 5000.0), 0.01)) <= 0).all()


@pytest.mark.parametrize(("total", "accuracy"), [(1e4, 1e-9), (1e6, 1e-8), (1e8, 1e-6)])
@pytest.mark.parametrize("sigmas", [0, 1, 3, 6])
def test_the_accuracy_stated_for_large_counts(total, accuracy, sigmas):
    """Against the ratios of neighbouring terms, which need no factorial."""
    budget = 0.001
    mean, sigma = int(total * budget), np.sqrt(total * budget)
    bad = float(int(mean + sigmas * sigma))
    counts = np.arange(max(mean - int(40 * sigma), 0), mean + int(40 * sigma) + 100)
    steps = np.log((total - counts[:-1]) / counts[1:] * budget / (1 - budget))
    logs = np.concatenate([[0.0], np.cumsum(steps)])
    weights = np.exp(logs - logs.max())
    expected = weights[counts >= bad].sum() / weights.sum()
    assert binomial_tail(np.array([bad]), np.array([total]), budget)[0] == pytest.approx(expected, rel=accuracy)

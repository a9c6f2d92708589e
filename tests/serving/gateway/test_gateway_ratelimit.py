"""Token buckets with the clock in the test's hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.gateway.ratelimit import Bucket, Budget, Rate


def test_a_burst_passes_and_then_the_rate():
    bucket = Bucket(Rate(per_s=2, burst=3), now=0.0)
    for _ in range(3):
        assert bucket.wait_s(1, 0.0) == 0
        bucket.take(1, 0.0)
    assert bucket.wait_s(1, 0.0) == 0.5
    assert bucket.wait_s(1, 0.5) == 0
    assert bucket.level(100.0) == 3


def test_what_costs_more_than_the_burst_passes_a_full_bucket_and_is_paid_off():
    bucket = Bucket(Rate(per_s=10, burst=100), now=0.0)
    assert bucket.wait_s(500, 0.0) == 0
    bucket.take(500, 0.0)
    assert bucket.level(0.0) == -400
    assert bucket.wait_s(500, 0.0) == 50
    assert bucket.wait_s(1, 0.0) == pytest.approx(40.1)


def test_a_clock_that_stands_or_goes_back_earns_nothing():
    bucket = Bucket(Rate(per_s=10, burst=100), now=5.0)
    bucket.take(50, 5.0)
    assert bucket.level(4.0) == 50


def test_a_request_takes_from_both_buckets_or_from_neither():
    budget = Budget(Rate(1, 5), Rate(10, 100), now=0.0)
    assert budget.spend(100, 0.0) == 0
    assert budget.spend(50, 0.0) == 5.0
    assert budget.allowances(0.0)["requests"].remaining == 4
    assert budget.allowances(0.0)["tokens"].remaining == 0


def test_the_longer_wait_of_the_two_is_told():
    budget = Budget(Rate(0.1, 1), Rate(10, 100), now=0.0)
    assert budget.spend(80, 0.0) == 0
    assert budget.spend(40, 0.0) == 10.0


def test_the_estimate_is_corrected_by_what_was_used():
    budget = Budget(None, Rate(1, 100), now=0.0)
    budget.spend(100, 0.0)
    budget.correct(100, 30, 0.0)
    assert budget.allowances(0.0)["tokens"].remaining == 70
    budget.correct(0, 90, 0.0)
    assert budget.allowances(0.0)["tokens"].remaining == 0
    assert budget.spend(1, 0.0) == 21


def test_without_limits_everything_passes():
    budget = Budget(None, None, now=0.0)
    assert budget.spend(10**9, 0.0) == 0
    assert budget.allowances(0.0) == {}


amounts = st.floats(0, 200, allow_nan=False)


@given(
    per_s=st.floats(0.1, 100),
    burst=st.floats(1, 100),
    asks=st.lists(st.tuples(st.floats(0, 20, allow_nan=False), amounts), max_size=40),
)
def test_no_more_passes_than_the_burst_and_the_rate_allow(per_s, burst, asks):
    bucket, now, passed, largest = Bucket(Rate(per_s, burst), 0.0), 0.0, 0.0, 0.0
    for pause_s, amount in asks:
        now += pause_s
        if bucket.wait_s(amount, now) == 0:
            bucket.take(amount, now)
            passed += amount
            largest = max(largest, amount)
        assert bucket.level(now) <= burst
        assert passed <= burst + per_s * now + max(0.0, largest - burst) + 1e-6


@given(per_s=st.floats(0.1, 100), burst=st.floats(1, 100), spent=amounts, amount=amounts)
def test_the_wait_is_exact(per_s, burst, spent, amount):
    bucket = Bucket(Rate(per_s, burst), 0.0)
    bucket.take(spent, 0.0)
    wait_s = bucket.wait_s(amount, 0.0)
    assert bucket.wait_s(amount, wait_s) <= 1e-9 * max(1.0, wait_s)
    if wait_s > 1e-6:
        assert bucket.wait_s(amount, wait_s * 0.99) > 0

"""The retry budget, with the clock in the test's hand."""

from __future__ import annotations

import pytest

from serving.gateway.budget import RetryBudget


def budget(**changes):
    return RetryBudget(**({"ratio": 0.2, "min_per_s": 0.0, "window_s": 10.0, "now": 0.0} | changes))


def spent(retries, now):
    """How many retries can be had in a row."""
    count = 0
    while retries.spend(now):
        count += 1
    return count


def test_a_quiet_fleet_may_spend_what_a_window_saves_up():
    retries = budget(ratio=0.0, min_per_s=3.0)
    assert spent(retries, 0.0) == 30
    assert spent(retries, 2.0) == 6
    assert spent(retries, 1000.0) == 30


def test_requests_earn_their_share():
    retries = budget()
    for _ in range(51):
        retries.request(0.0)
    assert spent(retries, 0.0) == 10


def test_what_requests_earned_fades_over_the_window():
    retries = budget()
    for _ in range(500):
        retries.request(0.0)
    assert retries.balance(10.0) == pytest.approx(100 * 0.3679, rel=1e-3)
    assert not budget().spend(10.0)


def test_a_steady_load_earns_its_ratio_of_the_requests_within_the_window():
    retries = budget()
    for tick in range(2000):
        retries.request(tick / 20)
    assert retries.balance(100.0) == pytest.approx(0.2 * 20 * 10, rel=0.02)


def test_an_outage_gets_a_bounded_number_of_retries():
    """Every request fails and asks for a retry: the load grows by the ratio and the minimum, and no more."""
    retries = budget(min_per_s=1.0)
    granted = 0
    for tick in range(6000):
        retries.request(tick / 100)
        granted += retries.spend(tick / 100)
    assert granted <= 6000 * 0.2 + 60 * 1.0 + 10


def test_a_clock_that_stands_still_or_steps_back_gives_nothing():
    retries = budget(ratio=0.0, min_per_s=1.0)
    assert spent(retries, 5.0) == 10
    assert spent(retries, 4.0) == 0

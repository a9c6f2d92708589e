"""Predicted first-token time and Retry-After."""

from __future__ import annotations

import pytest

from serving.gateway.forecast import Forecast

NOBODY = {"queued_tokens": 0, "head_age_s": 0.0, "longest_s": 30.0}


def busy(running, tokens_per_s, seconds=5.0):
    """A forecast after `seconds` of `running` requests that make `tokens_per_s` each."""
    forecast = Forecast(0.0)
    for key in range(running):
        forecast.begin(key, 0.0)
    for tick in range(1, int(seconds * 10) + 1):
        forecast.rate.add(int(running * tokens_per_s / 10), tick / 10)
    return forecast, seconds


def test_the_rate_is_that_of_all_that_run():
    forecast, now = busy(running=8, tokens_per_s=50)
    assert forecast.rate.per_s(now) == pytest.approx(400, rel=0.05)


def test_a_burst_is_not_judged_by_the_quiet_before_it():
    forecast, now = busy(running=1, tokens_per_s=50)
    for key in range(1, 8):
        forecast.begin(key, now)
    assert forecast.rate.per_s(now) == pytest.approx(400, rel=0.05)


def test_idle_time_forgets_nothing():
    forecast, now = busy(running=2, tokens_per_s=50)
    for key in (0, 1):
        forecast.end(key, now)
    assert forecast.rate.per_s(now + 3600) == forecast.rate.per_s(now) == pytest.approx(50, rel=0.05)


def test_replicas_that_hang_lower_the_rate():
    forecast, now = busy(running=4, tokens_per_s=50)
    before = forecast.rate.per_s(now)
    assert forecast.rate.per_s(now + 10) < before / 2


@pytest.mark.parametrize(("tokens", "seconds"), [(0, 1), (400, 1), (4000, 10), (10**9, 60)])
def test_retry_after_is_what_is_queued_and_outstanding_over_the_rate(tokens, seconds):
    forecast, now = busy(running=8, tokens_per_s=50)
    assert abs(forecast.retry_after_s(now, tokens=tokens) - seconds) <= (1 if 1 < seconds < 60 else 0)


def test_without_a_measure_retry_after_is_the_shortest():
    assert Forecast(0.0).retry_after_s(1.0, tokens=10**6) == 1


def test_the_prediction_rises_with_the_queue_before_any_token_is_late():
    forecast, now = busy(running=8, tokens_per_s=50)
    for key in range(8):
        forecast.first_tokens.arrived(key, 0.2)
    calm = forecast.ttft_s(now, **NOBODY)
    queued = forecast.ttft_s(now, queued_tokens=1200, head_age_s=0.0, longest_s=30.0)
    assert calm == pytest.approx(0.2)
    assert queued == pytest.approx(0.2 + 3.0, rel=0.1)


def test_the_prediction_leads_by_those_still_without_a_token():
    forecast, _ = busy(running=3, tokens_per_s=50)
    forecast.first_tokens.arrived(0, 0.1)
    assert forecast.ttft_s(4.0, **NOBODY) == pytest.approx(4.0)


def test_it_falls_to_the_unloaded_time_when_idle():
    forecast = Forecast(0.0)
    for n in range(100):
        forecast.begin(n, float(n))
        forecast.first_tokens.arrived(n, n + (0.1 if n < 50 else 2.0))
        forecast.end(n, n + 3.0)
    assert forecast.ttft_s(100.0, **NOBODY) == pytest.approx(2.0)
    assert forecast.ttft_s(200.0, **NOBODY) == pytest.approx(0.1)


def test_before_the_first_token_of_all_it_is_zero():
    assert Forecast(0.0).ttft_s(5.0, **NOBODY) == 0


@pytest.mark.parametrize(
    ("head_age_s", "wait_s"), [(0.0, 1.0), (4.0, 4.0), (90.0, 30.0)], ids=["rate", "the head", "the limit"]
)
def test_the_wait_is_at_least_what_the_head_has_waited(head_age_s, wait_s):
    forecast, now = busy(running=8, tokens_per_s=50)
    waited = forecast.wait_s(now, queued_tokens=400, head_age_s=head_age_s, longest_s=30.0)
    assert waited == pytest.approx(wait_s, rel=0.1)


def test_an_unknown_rate_is_no_good_news():
    assert Forecast(0.0).wait_s(1.0, queued_tokens=1, head_age_s=0.0, longest_s=30.0) == 30.0

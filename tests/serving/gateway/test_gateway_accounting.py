"""One request's account, with the clock in the test's hand."""

from __future__ import annotations

import pytest

from serving.gateway.accounting import Account
from serving.gateway.forecast import Forecast
from serving.gateway.metrics import E2E_BUCKETS, INTER_TOKEN_BUCKETS, TTFT_BUCKETS, GatewayMetrics
from serving.gateway.model import OUTCOMES, Finish


@pytest.fixture
def metrics():
    return GatewayMetrics(ttft_threshold_s=1.0, tpot_threshold_s=0.05)


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(f"sre_gateway_{name}", labels)


def run(metrics, *token_times, outcome="ok", accepted_at=100.0):
    account = Account(metrics, accepted_at)
    for at in token_times:
        account.token(at)
    account.usage(Finish("length", 7, len(token_times)))
    account.settle(outcome, token_times[-1] if token_times else accepted_at)
    return account


def test_every_label_value_exists_from_the_start(metrics):
    assert [value(metrics, "requests_total", outcome=o) for o in OUTCOMES] == [0] * 6
    assert [value(metrics, "retries_total", reason=r) for r in ("connect", "error", "timeout")] == [0] * 3
    assert [value(metrics, "tokens_total", kind=k) for k in ("prompt", "generation")] == [0] * 2
    metrics.watch_replica("llm-0", up=lambda: 0.0, inflight=lambda: 0.0)
    assert [value(metrics, "replica_requests_total", replica="llm-0", outcome=o) for o in ("ok", "error")] == [0] * 2


@pytest.mark.parametrize(
    ("name", "buckets"),
    [("ttft_seconds", TTFT_BUCKETS), ("inter_token_seconds", INTER_TOKEN_BUCKETS), ("e2e_seconds", E2E_BUCKETS)],
)
def test_the_buckets_are_those_of_the_contract(metrics, name, buckets):
    for bound in buckets:
        assert value(metrics, f"{name}_bucket", le=str(float(bound))) == 0


def test_a_threshold_between_buckets_becomes_a_bucket():
    metrics = GatewayMetrics(ttft_threshold_s=0.8, tpot_threshold_s=0.04)
    assert value(metrics, "ttft_seconds_bucket", le="0.8") == 0
    assert value(metrics, "inter_token_seconds_bucket", le="0.04") == 0
    assert value(metrics, "goodput_threshold_seconds", signal="ttft") == 0.8


def test_times_are_taken_from_acceptance_and_between_tokens(metrics):
    run(metrics, 100.5, 100.53, 100.73)
    assert value(metrics, "ttft_seconds_sum") == pytest.approx(0.5)
    assert value(metrics, "inter_token_seconds_count") == 2
    assert value(metrics, "inter_token_seconds_sum") == pytest.approx(0.23)
    assert value(metrics, "e2e_seconds_sum") == pytest.approx(0.73)


@pytest.mark.parametrize(
    ("times", "good"),
    [
        ((101.0,), 1),
        ((101.001,), 0),
        ((100.5, 100.5625, 100.59375), 1),  # one slow gap, a mean of 0.047
        ((100.5, 100.5625, 100.625), 0),
    ],
)
def test_good_means_both_thresholds_kept(metrics, times, good):
    run(metrics, *times)
    assert value(metrics, "goodput_eligible_total") == 1
    assert value(metrics, "goodput_good_total") == good
    assert value(metrics, "good_tokens_total") == good * len(times)


@pytest.mark.parametrize(
    ("outcome", "eligible"),
    [("ok", 1), ("error", 1), ("truncated", 1), ("rejected", 1), ("cancelled", 0), ("invalid", 0)],
)
def test_goodput_leaves_out_what_the_client_did(metrics, outcome, eligible):
    run(metrics, 100.1, 100.12, outcome=outcome)
    assert value(metrics, "goodput_eligible_total") == eligible
    assert value(metrics, "goodput_good_total") == (outcome == "ok")
    assert value(metrics, "wasted_tokens_total") == (0 if outcome == "ok" else 2)
    assert value(metrics, "e2e_seconds_count") == (outcome == "ok")


def test_a_request_is_counted_once_by_its_first_outcome(metrics):
    account = run(metrics, 100.1)
    account.settle("cancelled", 100.2)
    account.settle("error", 100.3)
    counts = {o: value(metrics, "requests_total", outcome=o) for o in OUTCOMES}
    assert counts == dict.fromkeys(OUTCOMES, 0) | {"ok": 1}


def test_tokens_without_text_are_added_from_the_engine_s_total(metrics):
    account = Account(metrics, 100.0)
    account.token(100.1)
    account.usage(Finish("stop", 7, 3))
    account.settle("ok", 100.2)
    assert value(metrics, "tokens_total", kind="generation") == 3
    assert value(metrics, "good_tokens_total") == 3


def test_the_prompt_of_a_lost_request_is_counted_by_estimate_if_it_was_read(metrics):
    Account(metrics, 100.0).close_usage(50)
    assert value(metrics, "tokens_total", kind="prompt") == 0
    lost = Account(metrics, 100.0)
    lost.token(100.1)
    lost.close_usage(50)
    assert value(metrics, "tokens_total", kind="prompt") == 50
    run(metrics, 100.1).close_usage(50)
    assert value(metrics, "tokens_total", kind="prompt") == 57


def test_tokens_that_came_together_share_their_gap(metrics):
    account = Account(metrics, 100.0)
    account.token(100.5, 2)
    account.token(100.7, 4)
    assert account.tokens == value(metrics, "tokens_total", kind="generation") == 6
    assert value(metrics, "inter_token_seconds_count") == 4
    assert value(metrics, "inter_token_seconds_sum") == pytest.approx(0.2)


def test_the_time_a_client_held_us_up_is_no_gap_and_does_not_spoil_goodput(metrics):
    account = Account(metrics, 100.0)
    account.token(100.1)
    account.held(5.0, 105.1)
    account.token(105.12)
    account.settle("ok", 105.12)
    assert value(metrics, "inter_token_seconds_sum") == pytest.approx(0.02)
    assert account.mean_inter_token_s == pytest.approx(0.02)
    assert value(metrics, "goodput_good_total") == 1


def test_a_tenant_s_requests_and_tokens_are_its_own(metrics):
    metrics.watch_tenant("a")
    account = Account(metrics, 100.0)
    account.tenant = "a"
    account.token(100.5)
    account.close_usage(7)
    account.settle("truncated", 101.0)
    assert value(metrics, "tenant_requests_total", tenant="a", outcome="truncated") == 1
    assert value(metrics, "tenant_tokens_total", tenant="a", kind="prompt") == 7
    assert value(metrics, "tenant_tokens_total", tenant="a", kind="generation") == 1


def test_the_forecast_learns_from_first_tokens_and_from_all_tokens(metrics):
    forecast = Forecast(100.0)
    account = Account(metrics, 100.0, forecast)
    forecast.begin(account, 100.0)
    account.token(100.4)
    account.token(101.0)
    account.usage(Finish("length", 8, 2))
    assert forecast.first_tokens.expected_s(101.0) == pytest.approx(0.4)
    assert forecast.rate.per_s(101.0) == pytest.approx(10.0, rel=0.1)

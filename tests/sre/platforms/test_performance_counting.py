"""One way of counting service, for what was measured and what was simulated."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.platforms.performance import (
    Answer,
    failover_of,
    knee_point,
    service_of,
    stretched,
    tail_of,
    tokens_between,
)


def answer(at: float, *, ttft: float = 0.1, tokens: int = 11, gap: float = 0.02, outcome: str = "ok") -> Answer:
    last = at + ttft + gap * (tokens - 1)
    return Answer(at, at + ttft, last, last, tokens, tokens, outcome, gap)


def failed(at: float, outcome: str = "error") -> Answer:
    return Answer(at, None, None, at + 0.1, 0, 10, outcome)


def run_of(n: int) -> list[Answer]:
    return [answer(float(index)) for index in range(n)]


def test_the_first_50_by_time_of_sending_are_warm_up_whatever_order_they_ended_in() -> None:
    slow_start = [replace(answer(float(index)), longest_gap_s=9.0) for index in range(50)]
    service = service_of([*reversed(run_of(600)[50:]), *slow_start], ttft_s=1.0, inter_token_s=0.05)
    assert (service.warm_up, service.measured, service.good) == (50, 550, 550)
    assert service.longest_gap.p99 == 0.02
    assert service.is_sufficient


@pytest.mark.parametrize(("n", "warm_up"), [(549, 50), (100, 50), (99, 9), (5, 0), (0, 0)])
def test_too_few_requests_never_suffice(n: int, warm_up: int) -> None:
    service = service_of(run_of(n), ttft_s=1.0, inter_token_s=0.05)
    assert (service.warm_up, service.measured) == (warm_up, n - warm_up)
    assert not service.is_sufficient


def test_good_is_served_with_both_times_within_their_thresholds() -> None:
    answers = [answer(0), answer(1, ttft=1.1), answer(2, gap=0.06), answer(3, outcome="truncated"), failed(4)]
    service = service_of(answers, ttft_s=1.0, inter_token_s=0.05, warm_up=0)
    assert (service.measured, service.good, service.failed) == (5, 1, 2)
    assert service.attainment == pytest.approx(0.2)


def test_what_the_client_gave_up_or_asked_wrongly_is_nobody_s_failure() -> None:
    service = service_of(
        [answer(0), failed(1, "cancelled"), failed(2, "invalid")], ttft_s=1, inter_token_s=1, warm_up=0
    )
    assert (service.measured, service.failed) == (1, 0)


def test_percentiles_are_values_that_occurred_and_none_without_any() -> None:
    tail = tail_of([float(n) for n in range(1, 101)])
    assert (tail.p50, tail.p95, tail.p99) == (50.0, 95.0, 99.0)
    assert tail_of([]).p99 is None


@given(st.floats(0, 10), st.floats(0, 10))
def test_tokens_of_two_windows_side_by_side_are_those_of_both_together(one: float, two: float) -> None:
    start, middle = sorted((one, two))
    answers = [answer(0.5), answer(3.2, tokens=200), answer(7.0, tokens=1)]
    parts = tokens_between(answers, start, middle) + tokens_between(answers, middle, 20.0)
    assert parts == pytest.approx(tokens_between(answers, start, 20.0))


def test_all_tokens_are_counted_once_in_a_window_around_them() -> None:
    answers = [answer(0.5), answer(3.2, tokens=200), answer(7.0, tokens=1), failed(8)]
    assert tokens_between(answers, 0.0, 100.0) == pytest.approx(212)


def test_a_level_counts_first_tokens_of_its_window_and_cut_answers_too() -> None:
    long = replace(answer(0.0, tokens=2000, gap=0.01), outcome="cancelled")
    point = knee_point([long, answer(5.2)], concurrency=2, start=5.0, end=10.0)
    assert (point.ttft.n, point.answers) == (1, 2)
    assert point.inter_token.p50 == pytest.approx(0.01)
    assert point.tokens_per_s == pytest.approx((500 + 11) / 5, rel=0.01)


def test_a_stretched_answer_is_the_same_at_another_speed() -> None:
    slow = stretched(answer(2.0), 4.0)
    assert slow.ttft_s == pytest.approx(0.4)
    assert slow.inter_token_s == pytest.approx(0.08)
    assert slow.longest_gap_s == pytest.approx(0.08)


def test_a_kill_is_felt_by_those_under_way_then() -> None:
    calm, hit, later = answer(0.0), replace(answer(5.0, tokens=500), longest_gap_s=1.2), answer(20.0)
    lost = replace(answer(5.5), wanted=20, outcome="truncated")
    found = failover_of([calm, hit, lost, later], killed_at=5.6, moved=1, recomputed_tokens=40, recovered_at=9.0)
    assert (found.under_way, found.failed, found.lost_tokens) == (2, 1, 9)
    assert (found.gap.p99, found.calm_gap.p99) == (1.2, 0.02)
    assert found.recovery_s == pytest.approx(3.4)

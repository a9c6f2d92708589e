"""One replica's states, with the clock in the test's hand."""

from __future__ import annotations

import pytest

from serving.gateway.config import HealthConfig
from serving.gateway.health import Health
from serving.gateway.pace import Pace


def health(*, up=True, **rules):
    made = Health(HealthConfig(**rules), 0.0)
    if up:
        made.probe_passed(0.0)
    return made


def test_down_until_the_first_inference_and_then_wholly_up():
    new = health(up=False)
    assert (new.state, new.routable, new.life) == ("down", False, 0)
    assert new.probe_passed(1.0)
    assert (new.state, new.routable, new.life) == ("up", True, 1)


def test_after_an_ejection_it_comes_back_half_open_and_is_whole_after_its_successes():
    back = health(half_open_requests=2)
    assert back.eject(1.0, "stall")
    assert (back.state, back.routable) == ("ejected", False)
    assert back.probe_passed(2.0)
    assert (back.state, back.routable, back.life) == ("half_open", True, 2)
    back.served(2.1)
    assert back.state == "half_open"
    back.served(2.2)
    assert back.state == "up"


def test_a_failure_while_half_open_opens_the_circuit_again():
    back = health(error_threshold=100)
    back.eject(1.0, "error")
    back.probe_passed(2.0)
    assert back.attempt_failed()


def test_only_errors_in_a_row_count():
    flaky = health(error_threshold=3)
    assert [flaky.attempt_failed() for _ in range(2)] == [False, False]
    flaky.served(1.0)
    assert [flaky.attempt_failed() for _ in range(3)] == [False, False, True]


def test_a_draining_replica_serves_on_and_gets_nothing_new():
    leaving = health()
    leaving.draining = True
    assert (leaving.state, leaving.routable, leaving.serving) == ("draining", False, True)
    leaving.lose_connection(1.0)
    assert leaving.state == "down"


def test_down_s_counts_from_the_end_of_service():
    lost = health()
    assert lost.down_s(5.0) == 0
    lost.lose_connection(5.0)
    lost.lose_connection(6.0)
    assert lost.down_s(8.0) == 3
    assert health(up=False).down_s(4.0) == 4


def test_what_leaves_is_told_once():
    lost = health()
    assert [lost.eject(1.0, "stall"), lost.eject(1.1, "stall"), lost.lose_connection(1.2)] == [True, False, False]
    assert lost.state == "down"


def test_an_ejected_replica_is_probed_at_once_and_then_each_interval():
    out = health(probe_interval_s=1.0)
    out.eject(10.0, "stall")
    assert out.probe_due(10.0, busy=False)
    out.probe_began(10.0)
    assert not out.probe_due(11.5, busy=False)
    out.probe_ended()
    assert not out.probe_due(10.9, busy=False)
    assert out.probe_due(11.0, busy=False)


def test_each_further_ejection_within_a_minute_is_held_longer():
    flapping = health(probe_interval_s=1.0)
    holds = []
    for start in (10.0, 20.0, 30.0):
        flapping.eject(start, "stall")
        holds.append(next(s for s in range(20) if flapping.probe_due(start + s, busy=False)))
        flapping.probe_passed(start + 5)
    assert holds == [0, 1, 3]
    flapping.eject(200.0, "stall")
    assert flapping.probe_due(200.0, busy=False)


def test_a_process_that_died_while_it_was_held_is_probed_without_delay():
    held = health(probe_interval_s=1.0)
    held.eject(10.0, "slow")
    assert not held.probe_due(12.0, busy=False)
    held.lose_connection(12.0)
    assert held.probe_due(12.0, busy=False)


def test_an_idle_replica_is_probed_a_busy_one_is_not():
    idle = health(idle_probe_s=5.0)
    assert not idle.probe_due(4.9, busy=False)
    assert idle.probe_due(5.0, busy=False)
    assert not idle.probe_due(5.0, busy=True)
    idle.suspect = True
    assert idle.probe_due(5.0, busy=True)


def test_patience_is_a_number_of_steps_between_its_bounds():
    steady = health(stall_steps=20, stall_min_s=1.0, stall_max_s=5.0)
    assert steady.patience_s(decoding=True, prefill_tokens=0) == 1.0
    for _ in range(200):
        steady.pace.step(0.1)
    assert steady.patience_s(decoding=True, prefill_tokens=0) == pytest.approx(2.0)
    for _ in range(2000):
        steady.pace.step(1.0)
    assert steady.patience_s(decoding=True, prefill_tokens=0) == 5.0


def test_a_long_prompt_alone_is_given_the_time_its_prefill_takes():
    alone = health(stall_min_s=1.0, stall_max_s=5.0)
    for _ in range(20):
        alone.pace.prefill(1000, 0.5)
    assert alone.patience_s(decoding=False, prefill_tokens=4000) == pytest.approx(1.0 + 3 * 2.0)
    assert alone.patience_s(decoding=False, prefill_tokens=10**9) == 1.0 + 6 * 5.0
    assert alone.patience_s(decoding=True, prefill_tokens=4000) == 1.0


def test_slow_is_against_the_others_and_only_with_enough_steps():
    slow = health(slow_factor=3.0)
    for _ in range(63):
        slow.pace.step(0.1)
    assert not slow.is_slow(0.01)
    slow.pace.step(0.1)
    assert slow.is_slow(0.01)
    assert not slow.is_slow(0.05)
    assert not slow.is_slow(None)
    assert not health().is_slow(0.0001)


def test_what_the_gateway_was_late_by_is_forgiven():
    unheard = health()
    unheard.progress_at = 10.0
    unheard.forgive(2.0, 13.0)
    assert unheard.progress_at == 12.0
    unheard.forgive(2.0, 13.0)
    assert unheard.progress_at == 13.0


def test_one_stall_does_not_teach_patience():
    pace = Pace()
    for _ in range(200):
        pace.step(0.01)
    pace.step(60.0)
    assert pace.step_s < 0.012


def test_pace_follows_a_lasting_change():
    pace = Pace()
    for gap_s in [0.01] * 200 + [0.03] * 300:
        pace.step(gap_s)
    assert pace.step_s == pytest.approx(0.03, rel=0.05)

"""The cold start is waited out phase by phase, and measured."""

from __future__ import annotations

import pytest

from serving.engine.cold_start import wait_longer, warm_up

PHASES = {"load_weights": 8.0, "compile": 20.0}


def test_each_phase_takes_its_time_scaled_and_is_logged() -> None:
    now = [0.0]
    lines: list[str] = []

    def pause(seconds: float) -> None:
        now[0] += seconds

    taken = warm_up(PHASES, 0.5, log=lines.append, pause=pause, clock=lambda: now[0])
    assert taken == {"load_weights": pytest.approx(4.0), "compile": pytest.approx(10.0)}
    assert lines == ["cold start: load_weights took 4.0 s", "cold start: compile took 10.0 s"]


def test_without_one_nothing_is_waited_for_and_every_phase_is_there() -> None:
    def pause(seconds: float) -> None:
        raise AssertionError("it waited")

    assert warm_up(PHASES, 0.0, log=print, pause=pause) == {"load_weights": 0.0, "compile": 0.0}


def test_a_slow_start_ends_when_its_fault_does() -> None:
    now = [0.0]

    def pause(seconds: float) -> None:
        now[0] += seconds

    def extra_s() -> float:
        return 30.0 if now[0] < 2 else 0.0

    assert wait_longer(extra_s, pause=pause, clock=lambda: now[0]) == pytest.approx(2.0, abs=0.11)
    assert wait_longer(lambda: 0.0, pause=pause, clock=lambda: now[0]) == 0.0

"""What is offered: the generated day, and traces thickened without losing their shape."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from serving.errors import BadInput
from serving.simulator import generated, thickened
from serving.simulator.model import NS

START = datetime(2023, 11, 16, 18, 0, 0, 1)  # noqa: DTZ001  (as the trace has it)


def per_minute(traffic) -> list[int]:
    counts = [0] * int(traffic.duration_s // 60)
    for arrival in traffic.arrivals:
        counts[int(arrival.at_ns / NS // 60)] += 1
    return counts


def trace(tmp_path, gaps_s):
    path, at, lines = tmp_path / "t.csv", 0.0, ["TIMESTAMP,ContextTokens,GeneratedTokens"]
    for number, gap in enumerate(gaps_s):
        at += gap
        lines.append(f"{(START + timedelta(seconds=at)).isoformat(' ')},{100 + number},{10 + number % 7}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_generated_day_has_the_mean_rate_a_quiet_begin_and_bursts() -> None:
    day = generated(rate_rps=6, duration_s=3600, seed=3)
    counts = per_minute(day)
    assert day.mean_rps == pytest.approx(6, rel=0.03)
    assert sum(counts[:5]) < 0.6 * sum(counts[28:33])
    # 0.40 of the hour: the burst at minute 25 stands out from the plateau around it
    assert counts[25] > 1.4 * counts[32]
    assert day.peak_rps() == max(counts) / 60


def test_the_same_seed_gives_the_same_day_and_another_does_not() -> None:
    assert generated(rate_rps=2, duration_s=300, seed=1) == generated(rate_rps=2, duration_s=300, seed=1)
    assert generated(rate_rps=2, duration_s=300, seed=1) != generated(rate_rps=2, duration_s=300, seed=2)


def test_a_trace_is_left_as_it_is_without_a_rate(tmp_path) -> None:
    traffic = thickened(trace(tmp_path, [1.0] * 100), rate_rps=None, duration_s=None, seed=1)
    assert [arrival.prompt_tokens for arrival in traffic.arrivals] == list(range(100, 200))
    assert [round(arrival.at_ns / NS) for arrival in traffic.arrivals] == list(range(100))


def test_a_thickened_trace_keeps_its_clock_and_its_bursts(tmp_path) -> None:
    path = trace(tmp_path, [1.0] * 240 + [0.2] * 600 + [1.0] * 240)  # 4 quiet minutes, 2 busy ones, 4 quiet ones
    traffic = thickened(path, rate_rps=18.0, duration_s=600, seed=1)
    counts = per_minute(traffic)
    assert traffic.duration_s == 600
    assert traffic.mean_rps == pytest.approx(18.0, rel=0.02)
    assert sum(counts[4:6]) / 2 == pytest.approx(5 * sum(counts[:3]) / 3, rel=0.15)
    assert all(earlier.at_ns <= later.at_ns for earlier, later in pairwise(traffic.arrivals))
    assert {arrival.prompt_tokens for arrival in traffic.arrivals} <= set(range(100, 1180))


def test_a_rate_below_the_traces_own_thins_it(tmp_path) -> None:
    traffic = thickened(trace(tmp_path, [0.1] * 2000), rate_rps=2.0, duration_s=200, seed=1)
    assert traffic.mean_rps == pytest.approx(2.0, rel=0.1)


def test_more_than_can_be_simulated_is_refused() -> None:
    with pytest.raises(BadInput, match="lower --rate"):
        generated(rate_rps=1e5, duration_s=3600, seed=1)


def test_bad_rows_are_left_out_only_when_asked_and_then_the_title_says_so(tmp_path) -> None:
    path = trace(tmp_path, [1.0] * 10)
    path.write_text(path.read_text() + "gibberish\n")
    with pytest.raises(BadInput, match="--skip-bad-rows"):
        thickened(path, rate_rps=None, duration_s=None, seed=1)
    traffic = thickened(path, rate_rps=None, duration_s=None, seed=1, skip_bad_rows=True)
    assert traffic.title.endswith("bad rows left out: 1")

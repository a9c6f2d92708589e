"""From plan to requests: generator and traces, caps counted, prompts of exact length, prefixes shared as hashed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from serving.errors import BadInput
from serving.loadgen.model import PlannedRequest, Schedule
from serving.loadgen.plan import Plan
from serving.loadgen.prompts import prompt_text
from serving.loadgen.schedule import build_schedule
from serving.loadgen.workload import describe, gap_cv


def plan_of(**fields: Any) -> Plan:
    return Plan(url="http://127.0.0.1:1", out=Path("out"), **fields)


def azure(folder: Path, seconds: list[float]) -> Path:
    path = folder / "azure.csv"
    rows = [f"2023-11-16 18:15:{at:09.6f},{100 + i},{10 + i}" for i, at in enumerate(seconds)]
    path.write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *rows]) + "\n")
    return path


def offsets(schedule: Schedule) -> list[float]:
    return [request.offset_s for request in schedule.requests]


def test_the_same_plan_gives_the_same_requests() -> None:
    assert build_schedule(plan_of(seed=4)) == build_schedule(plan_of(seed=4))
    assert build_schedule(plan_of(seed=4)) != build_schedule(plan_of(seed=5))


def test_another_rate_leaves_the_lengths_as_they_were() -> None:
    slow = build_schedule(plan_of(rate_rps=2.0)).requests
    fast = build_schedule(plan_of(rate_rps=9.0)).requests
    assert [r.prompt_tokens for r in slow] == [r.prompt_tokens for r in fast[: len(slow)]]


def test_the_default_rate_is_six_and_bounds_hold() -> None:
    schedule = build_schedule(plan_of(duration_s=600.0))
    assert schedule.rate_rps == 6.0
    assert len(schedule.requests) == pytest.approx(3600, rel=0.05)
    assert all(16 <= r.prompt_tokens <= 2048 and 16 <= r.max_tokens <= 512 for r in schedule.requests)


def test_nothing_to_send_is_an_error_not_an_empty_run() -> None:
    with pytest.raises(BadInput, match="no request arrives within"):
        build_schedule(plan_of(duration_s=0.001, rate_rps=0.01))


def test_a_trace_at_its_own_rate_is_cut_at_the_duration(tmp_path: Path) -> None:
    schedule = build_schedule(plan_of(trace=azure(tmp_path, [1.0, 2.0, 4.0, 5.0, 9.0]), duration_s=4.0))
    assert offsets(schedule) == pytest.approx([0.0, 1.0, 3.0])
    assert schedule.rate_rps == pytest.approx(0.75)


def test_a_trace_is_stretched_to_the_rate_asked_for(tmp_path: Path) -> None:
    trace = azure(tmp_path, [1.0, 2.0, 4.0, 5.0, 9.0])
    schedule = build_schedule(plan_of(trace=trace, rate_rps=2.0, duration_s=2.0))
    assert offsets(schedule) == pytest.approx([0.0, 0.25, 0.75, 1.0])
    assert [r.prompt_tokens for r in schedule.requests] == [100, 101, 102, 103]
    assert [r.max_tokens for r in schedule.requests] == [10, 11, 12, 13]


def test_a_trace_of_one_instant_cannot_be_given_a_rate(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"azure\.csv: cannot be sent at 1 rps"):
        build_schedule(plan_of(trace=azure(tmp_path, [1.0, 1.0, 1.0]), rate_rps=1.0, duration_s=2.0))


def test_caps_bite_and_are_counted(tmp_path: Path) -> None:
    trace = azure(tmp_path, [1.0, 2.0, 3.0])
    schedule = build_schedule(plan_of(trace=trace, duration_s=9.0, max_prompt_tokens=101, max_output_tokens=10))
    assert [r.prompt_tokens for r in schedule.requests] == [100, 101, 101]
    assert [r.max_tokens for r in schedule.requests] == [10, 10, 10]
    assert (schedule.capped_prompts, schedule.capped_outputs) == (1, 2)
    lines = dict(describe(plan_of(trace=trace, max_prompt_tokens=101), schedule).lines)
    assert lines["prompt cap"] == "101 tokens, shortened 1 requests"


def test_the_workload_says_what_is_offered() -> None:
    plan = plan_of(rate_rps=5.0, cv=2.0, duration_s=200.0)
    schedule = build_schedule(plan)
    workload = describe(plan, schedule)
    lengths = sorted(r.prompt_tokens for r in schedule.requests)
    assert workload.n == len(schedule.requests)
    assert workload.cv == gap_cv(offsets(schedule))
    assert workload.prompt_tokens.max == lengths[-1]
    assert workload.prompt_tokens.p50 in lengths
    assert workload.run is None
    lines = dict(workload.lines)
    assert lines["offered rate"].startswith("5.00 requests/s")
    assert "asked for 2" in lines["burstiness"]


def request(index: int = 0, n: int = 5, ids: tuple[int, ...] = ()) -> PlannedRequest:
    return PlannedRequest(index=index, offset_s=0.0, prompt_tokens=n, max_tokens=1, hash_ids=ids)


@pytest.mark.parametrize("n", [1, 2, 511, 512, 513, 2048, 10_000])
def test_a_prompt_has_exactly_the_words_asked_for(n: int) -> None:
    assert len(prompt_text(request(n=n), seed=1).split()) == n
    assert len(prompt_text(request(n=n, ids=tuple(range((n + 511) // 512))), seed=1).split()) == n


def test_prompts_differ_from_the_first_word_and_repeat_by_seed() -> None:
    first = prompt_text(request(0), seed=1)
    assert first == prompt_text(request(0), seed=1)
    assert first.split()[0] != prompt_text(request(1), seed=1).split()[0]
    assert first.split()[0] != prompt_text(request(0), seed=2).split()[0]


def test_prefixes_are_shared_exactly_as_far_as_the_hashes() -> None:
    one = prompt_text(request(1, n=1400, ids=(7, 8, 9)), seed=1).split()
    two = prompt_text(request(2, n=1300, ids=(7, 8, 10)), seed=2).split()
    assert one[:1024] == two[:1024]
    assert one[1024] != two[1024]


def test_a_capped_trace_prompt_keeps_its_shared_prefix(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('{"timestamp": 0, "input_length": 1400, "output_length": 5, "hash_ids": [7, 8, 9]}\n')
    capped = build_schedule(plan_of(trace=path, max_prompt_tokens=700)).requests[0]
    whole = prompt_text(request(n=1400, ids=(7, 8, 9)), seed=1)
    assert capped.hash_ids == (7, 8)
    assert prompt_text(capped, seed=1).split() == whole.split()[:700]

"""The fast replica gives every request's first and last token at the scheduler's own time."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.batching import Request, Scheduler, SchedulerConfig, StepPlan, StepTimeModel
from serving.simulator.model import NS
from serving.simulator.replica import Replica

STEP_TIME = StepTimeModel.from_tables(
    decode_ms={1: 6.2, 8: 7.2, 32: 10.6, 64: 15.0},
    prefill_ms={256: 34, 2048: 69, 8192: 225},
    mixed_factor=1.5,
    kv_ms_per_1k_tokens=0.9,
    kv_included_tokens=20,
)
ROOMY = SchedulerConfig(kv_blocks=4000, max_num_seqs=32, max_num_batched_tokens=512, max_model_len=4096)
TIGHT = SchedulerConfig(kv_blocks=40, block_size_tokens=4, max_num_seqs=8, max_num_batched_tokens=32, max_model_len=160)
TINY = SchedulerConfig(kv_blocks=12, block_size_tokens=1, max_num_seqs=4, max_num_batched_tokens=4, max_model_len=12)

Asked = tuple[int, int, int]
"""Arrival in ns, prompt tokens, output tokens."""
Seen = dict[tuple[int, str], int]


@dataclass
class Reference:
    """The scheduler itself, one step after the other."""

    scheduler: Scheduler
    now_ns: int = 0
    plan: StepPlan | None = None
    ends_ns: int | None = None
    preempted: int = 0
    seen: Seen = field(default_factory=dict)

    def start(self, now_ns: int) -> None:
        if self.plan is None and self.scheduler.has_work:
            self.plan = self.scheduler.plan()
            self.preempted += len(self.plan.preempted)
            self.ends_ns = now_ns + max(1, round(STEP_TIME.duration_s(self.plan) * NS))

    def complete(self) -> None:
        assert self.plan is not None
        assert self.ends_ns is not None
        for emission in self.scheduler.complete(self.plan).emitted:
            if emission.position == 0:
                self.seen[int(emission.request_id), "first"] = self.ends_ns
            if emission.is_last:
                self.seen[int(emission.request_id), "last"] = self.ends_ns
        self.plan = None


def by_the_scheduler(config: SchedulerConfig, asked: list[Asked]) -> tuple[Seen, int]:
    reference = Reference(Scheduler(config))
    todo = list(enumerate(asked))
    while todo or reference.plan is not None:
        if todo and (reference.plan is None or todo[0][1][0] <= (reference.ends_ns or 0)):
            number, (at_ns, prompt, output) = todo.pop(0)
            reference.scheduler.add(Request(str(number), prompt, output))
            reference.start(at_ns)
        else:
            ended = reference.ends_ns or 0
            reference.complete()
            reference.start(ended)
    return reference.seen, reference.preempted


def by_the_replica(config: SchedulerConfig, asked: list[Asked]) -> tuple[Seen, int]:
    replica, seen = Replica(config, STEP_TIME), {}
    todo = list(enumerate(asked))
    while todo or replica.next_ns is not None:
        ends_ns = replica.next_ns
        if todo and (ends_ns is None or todo[0][1][0] <= ends_ns):
            number, (at_ns, prompt, output) = todo.pop(0)
            replica.add(number, prompt_tokens=prompt, output_tokens=output, now_ns=at_ns)
            replica.start(at_ns)
        else:
            assert ends_ns is not None
            for token in replica.complete():
                if token.is_first:
                    seen[token.id, "first"] = ends_ns
                if token.is_last:
                    seen[token.id, "last"] = ends_ns
            replica.start(ends_ns)
    assert replica.kv_usage(0) == 0, "blocks leaked"
    assert replica.running == replica.waiting == 0
    return seen, replica.preemptions


def drawn(seed: int, *, count: int, gap_ms: float, prompt: tuple[int, int], output: tuple[int, int]) -> list[Asked]:
    rng = random.Random(seed)
    at, asked = 0.0, []
    for _ in range(count):
        at += rng.expovariate(1 / gap_ms)
        asked.append((round(at * 1e6), rng.randint(*prompt), rng.randint(*output)))
    return asked


@pytest.mark.parametrize("gap_ms", [5.0, 60.0, 900.0])
@pytest.mark.parametrize("seed", range(3))
def test_with_room_for_all_every_token_comes_at_the_schedulers_time(seed: int, gap_ms: float) -> None:
    asked = drawn(seed, count=120, gap_ms=gap_ms, prompt=(1, 900), output=(1, 120))
    assert by_the_replica(ROOMY, asked) == by_the_scheduler(ROOMY, asked)


@pytest.mark.parametrize("seed", range(8))
def test_when_blocks_run_out_the_same_requests_are_preempted_at_the_same_time(seed: int) -> None:
    asked = drawn(seed, count=80, gap_ms=30.0, prompt=(1, 60), output=(1, 90))
    mine, reference = by_the_replica(TIGHT, asked), by_the_scheduler(TIGHT, asked)
    assert mine == reference
    assert mine[1] > 10, "the case is meant to preempt"


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([TIGHT, TINY]),
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=25),
)
def test_no_pattern_of_requests_tells_them_apart(config: SchedulerConfig, drawn_: list[tuple[int, int, int]]) -> None:
    asked = sorted((at_ms * 1_000_000, prompt, output) for at_ms, prompt, output in drawn_)
    assert by_the_replica(config, asked) == by_the_scheduler(config, asked)


def test_an_arrival_at_the_very_end_of_a_step_joins_the_next_one() -> None:
    first_step_ns = round(STEP_TIME.duration_of_s(decode_seqs=0, prefill_tokens=5) * NS)
    asked = [(0, 5, 9), (first_step_ns, 7, 3)]
    assert by_the_replica(ROOMY, asked) == by_the_scheduler(ROOMY, asked)

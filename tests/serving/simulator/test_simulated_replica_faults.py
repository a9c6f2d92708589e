"""Both replicas do what the scheduler does, whatever befalls them; the scheduler is driven one step after the other."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from serving.batching import Request, Scheduler, SchedulerConfig, StepPlan, StepTimeModel
from serving.simulator.engine import Engine, Progress
from serving.simulator.model import NS
from serving.simulator.reference_replica import ReferenceReplica
from serving.simulator.replica import Replica

STEP_TIME = StepTimeModel.from_tables(
    decode_ms={1: 6.2, 8: 7.2}, prefill_ms={8: 14, 32: 20}, mixed_factor=1.5, kv_ms_per_1k_tokens=9.0,
    kv_included_tokens=6, prefill_ms_per_1m_pairs=9000.0,
)  # fmt: skip
ROOMY = SchedulerConfig(kv_blocks=400, block_size_tokens=4, max_num_seqs=6, max_num_batched_tokens=16, max_model_len=80)
TIGHT = SchedulerConfig(kv_blocks=14, block_size_tokens=4, max_num_seqs=6, max_num_batched_tokens=12, max_model_len=50)
TINY = SchedulerConfig(kv_blocks=12, block_size_tokens=1, max_num_seqs=4, max_num_batched_tokens=4, max_model_len=12)


class Action(NamedTuple):
    """`a` and `b` are prompt and output tokens of an `add`, else `a` says whom, how much or how often."""

    at_ns: int
    what: str
    a: int = 0
    b: int = 0


@dataclass
class Seen:
    """What a client sees of each request, and what is asked of the replica in between."""

    first_ns: dict[int, int] = field(default_factory=dict)
    last_ns: dict[int, int] = field(default_factory=dict)
    gap_ns: dict[int, int] = field(default_factory=dict)
    recomputed: dict[int, int] = field(default_factory=dict)
    answers: list[object] = field(default_factory=list)
    preemptions: int = 0


class Oracle:
    """A replica in the plainest way: one object a request, every token's time noted."""

    def __init__(self, config: SchedulerConfig) -> None:
        self.scheduler = Scheduler(config)
        self.requests: dict[int, Request] = {}
        self.times: dict[int, list[int]] = defaultdict(list)
        self.computed: dict[int, int] = defaultdict(int)
        self.held: dict[int, int] = defaultdict(int)
        self.leaving: set[int] = set()
        self.factor, self.hangs, self.limit = 1.0, False, None
        self.plan: StepPlan | None = None
        self.end_ns = 0
        self.seen = Seen()

    @property
    def next_ns(self) -> int | None:
        return None if self.plan is None else self.end_ns

    def start(self, now_ns: int) -> None:
        if self.plan is None and not self.hangs:
            plan = self._plan()
            if plan.is_empty and plan.preempted:
                plan = self._plan()
            if not plan.is_empty:
                self.plan = plan
                self.end_ns = now_ns + max(1, round(STEP_TIME.duration_s(plan) * self.factor * NS))

    def _plan(self) -> StepPlan:
        plan = self.scheduler.plan()
        self.seen.preemptions += len(plan.preempted)
        for key in plan.preempted:
            self.held[int(key)] = 0
        return plan

    def complete(self) -> None:
        assert self.plan is not None
        self._leave()
        for allotment in self.plan.allotments:
            self.computed[int(allotment.request_id)] += allotment.tokens
            self.held[int(allotment.request_id)] += allotment.tokens
        for emission in self.scheduler.complete(self.plan).emitted:
            id_ = int(emission.request_id)
            self.times[id_].append(self.end_ns)
            self.seen.first_ns.setdefault(id_, self.end_ns)
            if emission.is_last:
                self.seen.gap_ns[id_] = self._progress(id_).longest_gap_ns
                self.seen.recomputed[id_] = self.computed[id_] - self.held[id_]
                self.seen.last_ns[id_] = self.end_ns
                del self.requests[id_]
        self.plan = None

    def _leave(self) -> None:
        for id_ in self.leaving:
            self.scheduler.cancel(str(id_))
        self.leaving.clear()

    def _progress(self, id_: int) -> Progress:
        times = self.times[id_]
        gap = max((later - earlier for earlier, later in pairwise(times)), default=0)
        emitted = self.requests[id_].resumed_tokens + len(times)
        return Progress(id_, emitted, times[-1] if times else -1, gap, self.computed[id_])

    def do(self, action: Action) -> None:
        """A request is known by a number of its own each time it comes."""
        if action.what == "cancel" and action.a in self.requests:
            self.seen.answers.append(self._progress(action.a).emitted)
            self.leaving.add(action.a)
            del self.requests[action.a]
            if self.plan is None:
                self._leave()
        elif action.what == "cancel":
            self.seen.answers.append(None)
        elif action.what == "evict":
            self.seen.answers.append([self._progress(id_) for id_ in self.requests])
            self.requests.clear()
            self.scheduler, self.plan = Scheduler(self.scheduler.config), None
            self.scheduler.limit_blocks(self.limit)
        elif action.what == "look":
            used = self.scheduler.pool.used / self.scheduler.config.kv_blocks
            self.seen.answers.append((self.scheduler.running_count, used, [*map(self._progress, self.requests)]))
        elif action.what == "slow":
            self.factor = action.a / 4
        elif action.what == "limit":
            self.limit = action.a if action.b else None
            self.scheduler.limit_blocks(self.limit)
        else:
            self.hangs = action.what == "hang"

    def add(self, id_: int, prompt: int, output: int, resumed: int, now_ns: int) -> None:
        self.requests[id_] = Request(str(id_), prompt, output, resumed_tokens=resumed)
        self.scheduler.add(self.requests[id_])


class Subject:
    """An engine, told the same."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.seen = Seen()
        self.here: dict[int, None] = {}

    @property
    def next_ns(self) -> int | None:
        return self.engine.next_ns

    def start(self, now_ns: int) -> None:
        self.engine.start(now_ns)

    def complete(self) -> None:
        now_ns = self.engine.next_ns
        assert now_ns is not None
        for token in self.engine.complete():
            if token.is_first:
                self.seen.first_ns[token.id] = now_ns
            if token.is_last:
                self.seen.last_ns[token.id], self.seen.gap_ns[token.id] = now_ns, token.longest_gap_ns
                self.seen.recomputed[token.id] = token.recomputed_tokens
                del self.here[token.id]

    def do(self, action: Action) -> None:
        at_ns = action.at_ns
        if action.what == "cancel":
            self.seen.answers.append(self.engine.cancel(action.a, at_ns))
            self.here.pop(action.a, None)
        elif action.what == "evict":
            self.seen.answers.append(self.engine.evict(at_ns))
            self.here.clear()
        elif action.what == "look":
            progress = [self.engine.progress(id_, at_ns) for id_ in self.here]
            assert [self.engine.emitted(id_, at_ns) for id_ in self.here] == [p.emitted for p in progress]
            self.seen.answers.append((self.engine.running, self.engine.kv_usage(at_ns), progress))
        elif action.what == "slow":
            self.engine.slow(action.a / 4, at_ns)
        elif action.what == "limit":
            self.engine.limit_blocks(action.a if action.b else None, at_ns)
        else:
            (self.engine.hang if action.what == "hang" else self.engine.unhang)(at_ns)

    def add(self, id_: int, prompt: int, output: int, resumed: int, now_ns: int) -> None:
        self.here[id_] = None
        self.engine.add(id_, prompt_tokens=prompt, output_tokens=output, now_ns=now_ns, resumed_tokens=resumed)


def played(replica: Oracle | Subject, actions: list[Action]) -> Seen:
    """All actions in turn, then no more faults until everything is done. Who is evicted comes again, as another."""
    asked: list[tuple[int, int]] = []

    def until(at_ns: int | None) -> None:
        while (next_ns := replica.next_ns) is not None and (at_ns is None or next_ns < at_ns):
            replica.complete()
            replica.start(next_ns)

    def add(prompt: int, output: int, resumed: int, at_ns: int) -> None:
        asked.append((prompt, output))
        replica.add(len(asked) - 1, prompt, output, resumed, at_ns)

    for action in actions:
        until(action.at_ns)
        if action.what == "add":
            add(action.a, action.b, 0, action.at_ns)
        else:
            replica.do(action)
        if action.what == "evict":
            evicted = replica.seen.answers[-1]
            assert isinstance(evicted, list)
            for lost in evicted[action.a :]:
                add(*asked[lost.id], lost.emitted, action.at_ns)
        replica.start(action.at_ns)
    for what in ("unhang", "limit", "slow"):
        last_ns = actions[-1].at_ns + 1
        until(last_ns)
        replica.do(Action(last_ns, what, a=4))
        replica.start(last_ns)
    until(None)
    return replica.seen


def by_the_scheduler(config: SchedulerConfig, actions: list[Action]) -> Seen:
    oracle = Oracle(config)
    seen = played(oracle, actions)
    assert not oracle.scheduler.has_work
    assert oracle.scheduler.pool.used == 0
    return seen


def by_the_replica(engine: Engine, actions: list[Action]) -> Seen:
    subject = Subject(engine)
    seen = played(subject, actions)
    seen.preemptions = engine.preemptions
    assert (engine.running, engine.waiting, engine.kv_usage(0)) == (0, 0, 0.0), "blocks or requests leaked"
    assert not subject.here
    return seen


def drawn(rng: random.Random, config: SchedulerConfig) -> list[Action]:
    """A minute in the life of a replica in trouble; times are multiples of what makes ties likely."""
    longest, gap_ms, at_ms = config.max_model_len // 2, rng.choice([1, 5, 20, 80]), 0
    faults = rng.choice([0.0, 0.1, 0.4])
    actions = []
    for _ in range(rng.randint(1, 24)):
        at_ms += rng.randint(0, 2 * gap_ms)
        action = Action(at_ms * 1_000_000, "add", rng.randint(1, longest), rng.randint(1, longest))
        if rng.random() < faults:
            what = rng.choice(["cancel"] * 3 + ["limit"] * 2 + ["look", "evict", "hang", "unhang", "slow"])
            most = {"slow": 12, "limit": config.kv_blocks}.get(what, len(actions))
            action = Action(at_ms * 1_000_000, what, rng.randint(1 if what == "slow" else 0, most), rng.randint(0, 2))
        actions.append(action)
    return actions


@settings(max_examples=1500)
@given(st.sampled_from([ROOMY, TIGHT, TINY]), st.integers(0, 2**32))
def test_whatever_befalls_it_the_fast_replica_does_what_the_scheduler_does(config: SchedulerConfig, seed: int) -> None:
    actions = drawn(random.Random(seed), config)
    assert by_the_replica(Replica(config, STEP_TIME), actions) == by_the_scheduler(config, actions)


@settings(max_examples=200)
@given(st.sampled_from([ROOMY, TIGHT, TINY]), st.integers(0, 2**32))
def test_so_does_the_replica_that_drives_the_scheduler(config: SchedulerConfig, seed: int) -> None:
    actions = drawn(random.Random(seed), config)
    replica = ReferenceReplica(config, STEP_TIME, names_blocks=False)
    assert by_the_replica(replica, actions) == by_the_scheduler(config, actions)

"""Invariants of the scheduler under any order of arrivals, cancellations and steps, kept by an independent ledger."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from serving.batching import NeverFits, Request, Scheduler, SchedulerConfig, StepPlan

MORE_STEPS_THAN_ANY_WORKLOAD_NEEDS = 20_000


@dataclass
class Account:
    """What the ledger believes about one request, from plans and outcomes alone."""

    request: Request
    arrival: int
    computed: int = 0
    emitted: int = 0
    admissions: int = 0

    @property
    def order(self) -> tuple[int, int]:
        return self.request.priority, self.arrival


class SchedulerMachine(RuleBasedStateMachine):
    requests = Bundle("requests")

    @initialize(
        kv_blocks=st.integers(2, 14),
        block_size=st.sampled_from([1, 4, 16]),
        seqs=st.integers(1, 6),
        budget_beyond_seqs=st.integers(0, 40),
    )
    def configure(self, kv_blocks: int, block_size: int, seqs: int, budget_beyond_seqs: int) -> None:
        self.config = SchedulerConfig(
            kv_blocks=kv_blocks,
            block_size_tokens=block_size,
            max_num_seqs=seqs,
            max_num_batched_tokens=seqs + budget_beyond_seqs,
            max_model_len=150,
        )
        self.scheduler = Scheduler(self.config)
        self.live: dict[str, Account] = {}
        self.running: set[str] = set()
        self.plan: StepPlan | None = None
        self.added = self.finished = self.cancelled = 0

    @rule(
        target=requests,
        prompt=st.integers(1, 80),
        output=st.integers(1, 40),
        priority=st.integers(-1, 1),
    )
    def add(self, prompt: int, output: int, priority: int) -> str:
        request = Request(f"r{self.added}", prompt, output, priority)
        kv_needed = prompt + output - 1
        fits = kv_needed <= self.config.kv_blocks * self.config.block_size_tokens and prompt + output <= 150
        try:
            self.scheduler.add(request)
        except NeverFits:
            assert not fits
        else:
            assert fits
            self.live[request.id] = Account(request, self.added)
            self.added += 1
        return request.id

    @rule(request_id=consumes(requests))
    def cancel(self, request_id: str) -> None:
        was_live = self.live.pop(request_id, None) is not None
        assert self.scheduler.cancel(request_id) is was_live
        self.running.discard(request_id)
        self.cancelled += was_live

    @precondition(lambda self: self.plan is None)
    @rule()
    def begin_step(self) -> None:
        plan = self.scheduler.plan()
        self._check_preemption(plan)
        self._check_admission(plan)
        self._check_tokens(plan)
        assert plan.is_empty is not bool(self.live), "work stands still, or there is a step without work"
        self.plan = None if plan.is_empty else plan

    @precondition(lambda self: self.plan is not None)
    @rule()
    def end_step(self) -> None:
        assert self.plan is not None
        plan, self.plan = self.plan, None
        outcome = self.scheduler.complete(plan)
        due = []
        for allotment in plan.allotments:
            if (account := self.live.get(allotment.request_id)) is not None:
                account.computed += allotment.tokens
                if account.computed == account.request.prompt_tokens + account.emitted:
                    due.append(allotment.request_id)
        assert [emission.request_id for emission in outcome.emitted] == due
        for emission in outcome.emitted:
            account = self.live[emission.request_id]
            assert emission.position == account.emitted, "a token was lost or came twice"
            account.emitted += 1
            assert emission.is_last is (account.emitted == account.request.output_tokens)
            if emission.is_last:
                del self.live[emission.request_id]
                self.running.discard(emission.request_id)
                self.finished += 1

    def _check_preemption(self, plan: StepPlan) -> None:
        for request_id in plan.preempted:
            self.running.remove(request_id)
            self.live[request_id].computed = 0
        if plan.preempted and self.running:
            last_kept = max(self.live[r].order for r in self.running)
            assert last_kept < min(self.live[r].order for r in plan.preempted), "somebody better was preempted"
        assert not (plan.preempted and plan.admitted)

    def _check_admission(self, plan: StepPlan) -> None:
        for request_id in plan.admitted:
            self.running.add(request_id)
            self.live[request_id].admissions += 1
        queued = [account.order for request_id, account in self.live.items() if request_id not in self.running]
        if plan.admitted and queued:
            assert max(self.live[r].order for r in plan.admitted) < min(queued), "somebody was overtaken in the queue"

    def _check_tokens(self, plan: StepPlan) -> None:
        ids = [allotment.request_id for allotment in plan.allotments]
        assert len(ids) == len(set(ids))
        assert set(ids) <= self.running
        assert plan.total_tokens == sum(a.tokens for a in plan.allotments) <= self.config.max_num_batched_tokens
        assert len(self.running) <= self.config.max_num_seqs
        assert plan.context_tokens == sum(self.live[r].computed for r in ids)
        for allotment in plan.allotments:
            account = self.live[allotment.request_id]
            left = account.request.prompt_tokens + account.emitted - account.computed
            assert 1 <= allotment.tokens <= left
            if allotment.tokens < left and not plan.preempted:  # what a preempted one gave back stays unused
                assert plan.total_tokens == self.config.max_num_batched_tokens, "a prefill was cut without need"
            assert allotment.is_decode is (account.emitted > 0 and left == 1)
        decodes = {r for r in self.running if self._is_decode(self.live[r])}
        assert decodes <= set(ids), "a running decode got no token"

    @staticmethod
    def _is_decode(account: Account) -> bool:
        return account.emitted > 0 and account.request.prompt_tokens + account.emitted - account.computed == 1

    @invariant()
    def blocks_are_conserved(self) -> None:
        sequences = self.scheduler._sequences.values()
        held = [block for sequence in sequences for block in sequence.blocks]
        everything = [*held, *self.scheduler.pool._free]
        assert sorted(everything) == list(range(self.config.kv_blocks)), "a block was lost or given out twice"

    @invariant()
    def blocks_held_are_exactly_those_needed(self) -> None:
        in_step = {a.request_id: a.tokens for a in self.plan.allotments} if self.plan else {}
        for sequence in self.scheduler._sequences.values():
            request_id = sequence.request.id
            tokens = self.live[request_id].computed + in_step.get(request_id, 0)
            tokens = tokens if request_id in self.running else 0
            assert len(sequence.blocks) == self.config.blocks_for(tokens)

    @invariant()
    def nobody_is_lost(self) -> None:
        assert self.added == self.finished + self.cancelled + len(self.live)
        assert self.scheduler.running_count == len(self.running)
        assert self.scheduler.waiting_count == len(self.live) - len(self.running)

    def teardown(self) -> None:
        if not hasattr(self, "scheduler"):
            return
        for _ in range(MORE_STEPS_THAN_ANY_WORKLOAD_NEEDS):
            if self.plan is not None:
                self.end_step()
            if not self.live:
                break
            self.begin_step()
            self.blocks_are_conserved()
            self.blocks_held_are_exactly_those_needed()
        assert not self.live, "an admissible request never finished"
        assert self.scheduler.pool.used == 0
        assert not self.scheduler.has_work


TestSchedulerMachine = SchedulerMachine.TestCase
TestSchedulerMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)

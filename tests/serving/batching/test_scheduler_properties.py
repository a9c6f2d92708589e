"""Invariants of the scheduler under any order of arrivals, cancellations and steps, kept by an independent ledger.

The ledger also keeps what is written in each KV block, token by token, so that a prefix-cache hit on the wrong content,
or a shared block that somebody writes to, is seen as what it is: a sequence reading another one's tokens.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from serving.batching import NeverFits, Request, Scheduler, SchedulerConfig, StepPlan

Token = tuple[int, int, int]
MORE_STEPS_THAN_ANY_WORKLOAD_NEEDS = 20_000
NEVER = 1_000_000


@dataclass
class Account:
    """What the ledger believes about one request, from plans and outcomes alone."""

    request: Request
    arrival: int
    document: int = 0
    emitted_before: int = 0
    hashed_blocks: int = 0
    computed: int = 0
    emitted: int = field(default=0)
    admissions: int = 0

    def __post_init__(self) -> None:
        self.emitted = self.request.resumed_tokens

    @property
    def known(self) -> int:
        return self.request.prompt_tokens + self.emitted

    def token(self, index: int) -> Token:
        """What stands at this index: prompts of one document begin alike, answers depend on the prompt's length too."""
        prompt = self.request.prompt_tokens
        return (self.document, index, 0 if index < prompt else prompt)

    @property
    def order(self) -> tuple[int, int]:
        return self.request.priority, self.arrival


class SchedulerMachine(RuleBasedStateMachine):
    requests = Bundle("requests")

    @initialize(
        kv_blocks=st.integers(2, 14) | st.integers(15, 30),
        block_size=st.sampled_from([1, 4, 16]),
        seqs=st.integers(1, 6),
        budget_beyond_seqs=st.integers(0, 40),
        prefix_caching=st.booleans(),
    )
    def configure(
        self, kv_blocks: int, block_size: int, seqs: int, budget_beyond_seqs: int, prefix_caching: bool
    ) -> None:
        self.config = SchedulerConfig(
            kv_blocks=kv_blocks,
            block_size_tokens=block_size,
            max_num_seqs=seqs,
            max_num_batched_tokens=seqs + budget_beyond_seqs,
            max_model_len=150,
            enable_prefix_caching=prefix_caching,
        )
        self.content: dict[tuple[int, int], Token] = {}  # (block, offset) -> what is written there
        self.limit: int | None = None
        self.hits = self.queries = 0
        self.scheduler = Scheduler(self.config)
        self.live: dict[str, Account] = {}
        self.running: set[str] = set()
        self.plan: StepPlan | None = None
        self.added = self.finished = self.cancelled = 0

    @rule(
        target=requests,
        prompt=st.integers(1, 12) | st.integers(1, 80),
        output=st.integers(1, 5) | st.integers(1, 40),
        resumed=st.just(0) | st.integers(0, 20),
        priority=st.integers(-1, 1),
        document=st.integers(0, 1),
        is_cacheable=st.sampled_from([True, True, False]),
    )
    def add(self, prompt: int, output: int, resumed: int, priority: int, document: int, is_cacheable: bool) -> str:
        resumed = min(resumed, output - 1)
        request = Request(f"r{self.added}", prompt, output, priority, resumed)
        account = Account(request, self.added, document)
        if is_cacheable:
            request = replace(request, block_hashes=tuple(self._next_hashes(account)))
            account.request = request
        else:
            account.hashed_blocks = NEVER
        kv_needed = prompt + output - 1
        fits = kv_needed <= self.config.kv_blocks * self.config.block_size_tokens and prompt + output <= 150
        try:
            self.scheduler.add(request)
        except NeverFits:
            assert not fits
        else:
            assert fits
            self.live[request.id] = account
            self.added += 1
        return request.id

    def _next_hashes(self, account: Account) -> list[int]:
        """Hashes of the blocks that got full since the last call, each of all tokens up to its end."""
        size = self.config.block_size_tokens
        ends = range((account.hashed_blocks + 1) * size, account.known + 1, size)
        account.hashed_blocks += len(ends)
        return [hash(tuple(account.token(index) for index in range(end))) for end in ends]

    @rule(share=st.none() | st.integers(0, 10))
    def limit_blocks(self, share: int | None) -> None:
        self.limit = share
        self.scheduler.limit_blocks(share)

    @rule(request_id=consumes(requests))
    def cancel(self, request_id: str) -> None:
        was_live = self.live.pop(request_id, None) is not None
        assert self.scheduler.cancel(request_id) is was_live
        self.running.discard(request_id)
        self.cancelled += was_live

    @precondition(lambda self: self.plan is None)
    @rule()
    def begin_step(self) -> None:
        self.limit_at_plan = self.limit
        plan = self.scheduler.plan()
        self._check_preemption(plan)
        self._check_admission(plan)
        self._check_tokens(plan)
        self._check_content(plan)
        assert plan.is_empty or self.live, "there is a step without work"
        assert not plan.is_empty or not self.live or self.limit is not None, "work stands still"
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
                if account.computed == account.known:
                    due.append(allotment.request_id)
        assert [emission.request_id for emission in outcome.emitted] == due
        for emission in outcome.emitted:
            account = self.live[emission.request_id]
            assert emission.position == account.emitted, "a token was lost or came twice"
            account.emitted += 1
            assert emission.is_last is (account.emitted == account.request.output_tokens)
            if account.hashed_blocks < NEVER:
                self.scheduler.add_hashes(emission.request_id, self._next_hashes(account))
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
        for request_id, hit_tokens in zip(plan.admitted, plan.hit_tokens, strict=True):
            self.running.add(request_id)
            account = self.live[request_id]
            account.admissions += 1
            account.computed = hit_tokens
            assert hit_tokens < account.known, "the last token was not computed"
            assert hit_tokens % self.config.block_size_tokens == 0
            assert not hit_tokens or (self.config.enable_prefix_caching and account.hashed_blocks < NEVER)
            if account.hashed_blocks and account.hashed_blocks < NEVER and self.config.enable_prefix_caching:
                self.queries += account.known
                self.hits += hit_tokens
        assert (self.scheduler.prefix_queries_tokens, self.scheduler.prefix_hits_tokens) == (self.queries, self.hits)
        queued = [account.order for request_id, account in self.live.items() if request_id not in self.running]
        if plan.admitted and queued:
            assert max(self.live[r].order for r in plan.admitted) < min(queued), "somebody was overtaken in the queue"

    def _check_content(self, plan: StepPlan) -> None:
        """Write this step's KV, then see that every sequence of it finds its own tokens in its blocks."""
        size = self.config.block_size_tokens
        written: set[tuple[int, int]] = set()
        for allotment in plan.allotments:
            account, blocks = self._blocks_of(allotment.request_id)
            for index in range(account.computed, account.computed + allotment.tokens):
                place = blocks[index // size], index % size
                assert place not in written, "two sequences write to one block"
                written.add(place)
                self.content[place] = account.token(index)
        for request_id in self.running:
            account, blocks = self._blocks_of(request_id)
            tokens = next((a.tokens for a in plan.allotments if a.request_id == request_id), 0)
            for index in range(account.computed + tokens):
                assert self.content[blocks[index // size], index % size] == account.token(index), "foreign KV"

    def _blocks_of(self, request_id: str) -> tuple[Account, list[int]]:
        return self.live[request_id], self.scheduler._sequences[request_id].blocks

    def _check_tokens(self, plan: StepPlan) -> None:
        ids = [allotment.request_id for allotment in plan.allotments]
        assert len(ids) == len(set(ids))
        assert set(ids) <= self.running
        assert plan.total_tokens == sum(a.tokens for a in plan.allotments) <= self.config.max_num_batched_tokens
        assert len(self.running) <= self.config.max_num_seqs
        assert plan.context_tokens == sum(self.live[r].computed for r in ids)
        for allotment in plan.allotments:
            account = self.live[allotment.request_id]
            left = account.known - account.computed
            assert 1 <= allotment.tokens <= left
            if allotment.tokens < left and not plan.preempted:  # what a preempted one gave back stays unused
                assert plan.total_tokens == self.config.max_num_batched_tokens, "a prefill was cut without need"
            assert allotment.is_decode is (account.emitted > 0 and left == 1)
        assert plan.decode_context_tokens == sum(
            self.live[a.request_id].computed for a in plan.allotments if a.is_decode
        )
        decodes = {r for r in self.running if self._is_decode(self.live[r])}
        assert decodes <= set(ids), "a running decode got no token"

    @staticmethod
    def _is_decode(account: Account) -> bool:
        return account.emitted > 0 and account.known - account.computed == 1

    @invariant()
    def blocks_are_conserved(self) -> None:
        sequences = self.scheduler._sequences.values()
        pool = self.scheduler.pool
        held = {block for sequence in sequences for block in sequence.blocks}
        everything = [*held, *pool._blank, *pool._idle]
        assert sorted(everything) == list(range(self.config.kv_blocks)), "a block was lost or given out twice"
        assert pool.used == len(held)
        assert set(pool._holders) | set(pool._idle) == set(pool._hash_of) == set(pool._block_of.values())
        holders = Counter(block for sequence in sequences for block in sequence.blocks)
        assert all(count == pool._holders.get(block, 1) for block, count in holders.items())

    @invariant()
    def no_more_blocks_are_used_than_allowed(self) -> None:
        if self.limit is not None and self.plan is not None and self.limit == self.limit_at_plan:
            assert self.scheduler.pool.used <= self.limit

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
        self.limit_blocks(None)
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
TestSchedulerMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)

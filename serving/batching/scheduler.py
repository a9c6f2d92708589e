"""Iteration-level scheduling in the manner of vLLM V1: one token budget a step, decodes first, then chunked prefill.

One object per request, for clarity: this is the reference that a faster version must agree with. The order everywhere
is (priority, arrival): the queue is served from its front without overtaking, and when blocks run out the request at
the very end of that order among the running ones is preempted. A preempted request keeps its emitted tokens and its
place in the order, and recomputes prompt and emitted tokens when it is admitted again. As in vLLM, a step that
preempted admits nobody, and does not enlarge a prefill by the tokens that the preempted one gave back.

With prefix caching a request is admitted with the longest run of known blocks already computed, but for its last
token, which must be computed to get the next. Blocks are registered when the step that fills them is planned, as in
vLLM: requests admitted together share what the first of them computes in that same step.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable

from serving.batching.kv import BlockPool
from serving.batching.model import Emission, NeverFits, Request, SchedulerConfig, StepOutcome, StepPlan
from serving.batching.sequence import Sequence, Step, order


class Scheduler:
    """Call `plan`, let the step's time pass, call `complete`.

    `add` and `cancel` are allowed at any moment, also in between.
    """

    def __init__(self, config: SchedulerConfig) -> None:
        self.config = config
        self.pool = BlockPool(config.kv_blocks)
        self._sequences: dict[str, Sequence] = {}
        self._waiting: list[Sequence] = []
        self._running: list[Sequence] = []
        self._open: tuple[StepPlan, list[Sequence]] | None = None
        self._arrivals = 0
        self._steps = 0
        self.prefix_queries_tokens = 0
        self.prefix_hits_tokens = 0

    @property
    def running_count(self) -> int:
        return len(self._running)

    @property
    def waiting_count(self) -> int:
        return len(self._waiting)

    @property
    def has_work(self) -> bool:
        return bool(self._sequences)

    @property
    def kv_usage(self) -> float:
        """Share of KV blocks in use, 0 to 1."""
        return self.pool.used / self.pool.total

    def require_fits(self, request: Request) -> None:
        """Raise NeverFits for a request that could not be served even alone."""
        config = self.config
        length = request.prompt_tokens + request.output_tokens
        if length > config.max_model_len:
            raise NeverFits(
                f"{request.prompt_tokens} prompt + {request.output_tokens} output tokens exceed "
                f"the model's length of {config.max_model_len}: shorten the prompt or lower max_tokens"
            )
        needed = config.blocks_for(length - 1)  # the last token's KV is never computed
        if needed > config.kv_blocks:
            raise NeverFits(
                f"{length} tokens need {needed} KV blocks and the replica has "
                f"{config.kv_blocks}: shorten the prompt or lower max_tokens"
            )

    def add(self, request: Request) -> None:
        """Queue a request. Raises NeverFits, or ValueError when its id is already under way."""
        if request.id in self._sequences:
            raise ValueError(f"request {request.id} is already under way")
        self.require_fits(request)
        hashes = list(request.block_hashes) if self.config.enable_prefix_caching else []
        sequence = Sequence(request, self._arrivals, request.resumed_tokens, hashes)
        self._arrivals += 1
        self._sequences[request.id] = sequence
        insort(self._waiting, sequence, key=order)

    def cancel(self, request_id: str) -> bool:
        """Forget a request and free its blocks at once; a step under way emits nothing for it.

        False when it is unknown.
        """
        sequence = self._sequences.get(request_id)
        if sequence is None:
            return False
        self._remove(sequence)
        return True

    def add_hashes(self, request_id: str, hashes: Iterable[int]) -> None:
        """Name the next full blocks of a request's tokens, generated ones by now. Ignored for an unknown request."""
        sequence = self._sequences.get(request_id)
        if sequence is not None and self.config.enable_prefix_caching:
            sequence.hashes.extend(hashes)

    def limit_blocks(self, blocks: int | None) -> None:
        """Use no more than `blocks` from the next plan on (None: all of the pool); who is too many is preempted there.

        A request that needs more than these by itself waits until the limit is lifted, and all behind it.
        """
        self.pool.limit = self.pool.total if blocks is None else blocks

    def plan(self) -> StepPlan:
        """Decide the next step: hand out blocks and tokens, admit, preempt. Empty when nothing can be done."""
        if self._open is not None:
            raise RuntimeError("the previous plan is not completed")
        step = Step(self.config.max_num_batched_tokens)
        while self.pool.used > self.pool.limit:
            self._preempt(self._running[-1], step)
        self._schedule_running(step)
        self._register(step.batch)
        if not step.preempted:
            self._admit_waiting(step)
        plan = step.to_plan(self._steps)
        if not plan.is_empty:
            self._steps += 1
            self._open = plan, step.batch
        return plan

    def complete(self, plan: StepPlan) -> StepOutcome:
        """Account for a step that has run: advance its sequences, emit a token for each that caught up with itself."""
        if self._open is None or self._open[0] is not plan:
            raise RuntimeError("this plan is not the open one")
        batch, self._open = self._open[1], None
        emitted = []
        for sequence in batch:
            if not sequence.is_running:  # cancelled meanwhile
                continue
            computed = sequence.computed_tokens = sequence.computed_tokens + sequence.scheduled_tokens
            sequence.scheduled_tokens = 0
            if computed == sequence.known_tokens:
                emitted.append(self._emit(sequence))
        return StepOutcome(tuple(emitted))

    def _emit(self, sequence: Sequence) -> Emission:
        request, position = sequence.request, sequence.emitted_tokens
        sequence.emitted_tokens = position + 1
        sequence.known_tokens += 1
        is_last = position + 1 == request.output_tokens
        if is_last:
            self._remove(sequence)
        return Emission(request.id, position, is_last)

    def _schedule_running(self, step: Step) -> None:
        """Give every decode its token, then the prefills under way as much of the budget as is left."""
        decodes: list[Sequence] = []
        prefills: list[Sequence] = []
        for sequence in self._running:
            (decodes if sequence.is_decode else prefills).append(sequence)
        size = self.config.block_size_tokens
        for sequence in decodes + prefills:
            if step.budget == 0:
                return
            if sequence.is_running:  # it may have been preempted for one before it
                computed = sequence.computed_tokens
                tokens = min(sequence.known_tokens - computed, step.budget)
                if computed + tokens <= len(sequence.blocks) * size or self._make_room(sequence, tokens, step):
                    step.schedule(sequence, tokens)

    def _register(self, batch: Iterable[Sequence]) -> None:
        """Make the blocks findable that this step fills. Only for sequences that stay in the batch."""
        for sequence in batch:
            if sequence.registered < len(sequence.hashes):
                tokens = sequence.computed_tokens + sequence.scheduled_tokens
                full = min(tokens // self.config.block_size_tokens, len(sequence.hashes))
                for index in range(sequence.registered, full):
                    self.pool.register(sequence.blocks[index], sequence.hashes[index])
                sequence.registered = max(sequence.registered, full)

    def _make_room(self, sequence: Sequence, tokens: int, step: Step) -> bool:
        """Get blocks for `tokens` more, preempting from the end of the order.

        False when that end is the sequence itself.
        """
        while not self._grow(sequence, tokens):
            victim = self._running[-1]
            self._preempt(victim, step)
            if victim is sequence:
                return False
        return True

    def _grow(self, sequence: Sequence, tokens: int) -> bool:
        """Take the blocks `tokens` more need beyond those already held; a new block only when the last is full."""
        missing = self.config.blocks_for(sequence.computed_tokens + tokens) - len(sequence.blocks)
        if missing <= 0:
            return True
        if missing > self.pool.free:
            return False
        sequence.blocks += self.pool.take(missing)
        return True

    def _preempt(self, sequence: Sequence, step: Step) -> None:
        self._running.remove(sequence)
        step.withdraw(sequence)
        step.preempted.append(sequence.request.id)
        sequence.is_running = False
        sequence.computed_tokens = sequence.registered = 0
        self.pool.give_back(sequence.blocks)
        insort(self._waiting, sequence, key=order)

    def _admit_waiting(self, step: Step) -> None:
        """Admit from the front of the queue while budget, seats and blocks last. Nobody overtakes the front."""
        while self._waiting and step.budget > 0 and len(self._running) < self.config.max_num_seqs:
            sequence = self._waiting[0]
            if not self._admit(sequence, step):
                return
            self._waiting.pop(0)
            sequence.is_running = True
            insort(self._running, sequence, key=order)
            self._register((sequence,))

    def _admit(self, sequence: Sequence, step: Step) -> bool:
        """Give a waiting sequence its known blocks and room for the part of the rest that the budget allows."""
        if self.pool.free == 0:
            return False
        known = self._known_blocks(sequence)
        hit_tokens = len(known) * self.config.block_size_tokens
        tokens = min(sequence.known_tokens - hit_tokens, step.budget)
        missing = self.config.blocks_for(hit_tokens + tokens) - len(known)
        if missing > self.pool.free - self.pool.count_idle(known):
            return False
        self.pool.share(known)
        sequence.blocks = known + self.pool.take(missing)
        sequence.computed_tokens, sequence.registered = hit_tokens, len(known)
        if sequence.hashes:
            self.prefix_queries_tokens += sequence.known_tokens
            self.prefix_hits_tokens += hit_tokens
        step.schedule(sequence, tokens)
        step.admitted.append(sequence.request.id)
        step.hit_tokens.append(hit_tokens)
        return True

    def _known_blocks(self, sequence: Sequence) -> list[int]:
        """Blocks of its first tokens that are in the cache; never the one with the last known token."""
        if not sequence.hashes:
            return []
        most = (sequence.known_tokens - 1) // self.config.block_size_tokens
        return self.pool.find(sequence.hashes[:most])

    def _remove(self, sequence: Sequence) -> None:
        (self._running if sequence.is_running else self._waiting).remove(sequence)
        sequence.is_running = False
        self.pool.give_back(sequence.blocks)
        del self._sequences[sequence.request.id]

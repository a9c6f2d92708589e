"""Iteration-level scheduling in the manner of vLLM V1: one token budget a step, decodes first, then chunked prefill.

One object per request, for clarity: this is the reference that a faster version must agree with. The order everywhere
is (priority, arrival): the queue is served from its front without overtaking, and when blocks run out the request at
the very end of that order among the running ones is preempted. A preempted request keeps its emitted tokens and its
place in the order, and recomputes prompt and emitted tokens when it is admitted again. As in vLLM, a step that
preempted admits nobody, and does not enlarge a prefill by the tokens that the preempted one gave back.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field

from serving.batching.kv import BlockPool
from serving.batching.model import Allotment, Emission, NeverFits, Request, SchedulerConfig, StepOutcome, StepPlan


@dataclass(slots=True, eq=False)
class Sequence:
    """A request under way.

    `computed_tokens` have their KV in `blocks`; `scheduled_tokens` is its part of the open step.
    """

    request: Request
    arrival: int
    computed_tokens: int = 0
    emitted_tokens: int = 0
    scheduled_tokens: int = 0
    is_running: bool = False
    blocks: list[int] = field(default_factory=list)

    @property
    def known_tokens(self) -> int:
        return self.request.prompt_tokens + self.emitted_tokens

    @property
    def is_decode(self) -> bool:
        """Only the last emitted token is left to compute."""
        return self.emitted_tokens > 0 and self.known_tokens - self.computed_tokens == 1


def _order(sequence: Sequence) -> tuple[int, int]:
    return sequence.request.priority, sequence.arrival


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
        sequence = Sequence(request, self._arrivals)
        self._arrivals += 1
        self._sequences[request.id] = sequence
        insort(self._waiting, sequence, key=_order)

    def cancel(self, request_id: str) -> bool:
        """Forget a request and free its blocks at once; a step under way emits nothing for it.

        False when it is unknown.
        """
        sequence = self._sequences.get(request_id)
        if sequence is None:
            return False
        self._remove(sequence)
        return True

    def plan(self) -> StepPlan:
        """Decide the next step: hand out blocks and tokens, admit, preempt. Empty when there is nothing to do."""
        if self._open is not None:
            raise RuntimeError("the previous plan is not completed")
        step = _Step(self.config.max_num_batched_tokens)
        self._schedule_running(step)
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
            sequence.computed_tokens += sequence.scheduled_tokens
            sequence.scheduled_tokens = 0
            if sequence.computed_tokens == sequence.known_tokens:
                emitted.append(self._emit(sequence))
        return StepOutcome(tuple(emitted))

    def _emit(self, sequence: Sequence) -> Emission:
        position = sequence.emitted_tokens
        sequence.emitted_tokens += 1
        is_last = sequence.emitted_tokens == sequence.request.output_tokens
        if is_last:
            self._remove(sequence)
        return Emission(sequence.request.id, position, is_last)

    def _schedule_running(self, step: _Step) -> None:
        """Give every decode its token, then the prefills under way as much of the budget as is left."""
        decodes = [sequence for sequence in self._running if sequence.is_decode]
        prefills = [sequence for sequence in self._running if not sequence.is_decode]
        for sequence in decodes + prefills:
            if step.budget == 0:
                return
            if sequence.is_running:  # it may have been preempted for one before it
                tokens = min(sequence.known_tokens - sequence.computed_tokens, step.budget)
                if self._make_room(sequence, tokens, step):
                    step.schedule(sequence, tokens)

    def _make_room(self, sequence: Sequence, tokens: int, step: _Step) -> bool:
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
        if missing > self.pool.free:
            return False
        if missing > 0:
            sequence.blocks += self.pool.take(missing)
        return True

    def _preempt(self, sequence: Sequence, step: _Step) -> None:
        self._running.remove(sequence)
        step.withdraw(sequence)
        step.preempted.append(sequence.request.id)
        sequence.is_running = False
        sequence.computed_tokens = 0
        self.pool.give_back(sequence.blocks)
        insort(self._waiting, sequence, key=_order)

    def _admit_waiting(self, step: _Step) -> None:
        """Admit from the front of the queue while budget, seats and blocks last. Nobody overtakes the front."""
        while self._waiting and step.budget > 0 and len(self._running) < self.config.max_num_seqs:
            sequence = self._waiting[0]
            tokens = min(sequence.known_tokens, step.budget)
            if not self._grow(sequence, tokens):
                return
            self._waiting.pop(0)
            sequence.is_running = True
            insort(self._running, sequence, key=_order)
            step.schedule(sequence, tokens)
            step.admitted.append(sequence.request.id)

    def _remove(self, sequence: Sequence) -> None:
        (self._running if sequence.is_running else self._waiting).remove(sequence)
        sequence.is_running = False
        self.pool.give_back(sequence.blocks)
        del self._sequences[sequence.request.id]


class _Step:
    """A step being put together."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.batch: list[Sequence] = []
        self.admitted: list[str] = []
        self.preempted: list[str] = []

    def schedule(self, sequence: Sequence, tokens: int) -> None:
        sequence.scheduled_tokens = tokens
        self.budget -= tokens
        self.batch.append(sequence)

    def withdraw(self, sequence: Sequence) -> None:
        """Take a preempted sequence out of the batch again, giving its tokens back to the budget."""
        if sequence.scheduled_tokens:
            self.budget += sequence.scheduled_tokens
            sequence.scheduled_tokens = 0
            self.batch.remove(sequence)

    def to_plan(self, number: int) -> StepPlan:
        allotments = tuple(Allotment(s.request.id, s.scheduled_tokens, s.is_decode) for s in self.batch)
        return StepPlan(
            number=number,
            allotments=allotments,
            decode_seqs=sum(a.is_decode for a in allotments),
            prefill_tokens=sum(a.tokens for a in allotments if not a.is_decode),
            context_tokens=sum(s.computed_tokens for s in self.batch),
            admitted=tuple(self.admitted),
            preempted=tuple(self.preempted),
        )

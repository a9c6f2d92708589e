"""One replica's steps, planned exactly as `serving.batching.Scheduler` plans them, without an object a token.

What makes it fast: all decodes advance by one token a step, so a decode is known by the step at which it joined; a
stretch of steps without prefill is a *run*, of which only the times are reckoned until a sequence ends, blocks run out,
or a request comes. Steps that preempt are planned sequence by sequence in the reference's order. Requests have no
priority, no shared prefix and no cancellation here. `tests/serving/simulator` compares every token's time with the
scheduler itself.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import NamedTuple

from serving.batching import SchedulerConfig, StepTimeModel
from serving.simulator.model import NS

_LONGEST_RUN = 16


@dataclass(slots=True, eq=False)
class _Sequence:
    """`computed` and `emitted` hold at step `since` (of the replica's count) while it decodes, else now."""

    id: int
    prompt: int
    output: int
    arrival: int
    computed: int = 0
    emitted: int = 0
    blocks: int = 0
    since: int = 0
    scheduled: int = 0
    decoding: bool = False
    life: int = 0

    @property
    def missing(self) -> int:
        return self.prompt + self.emitted - self.computed


class Token(NamedTuple):
    """A first or last token of a request (both, when it has only one)."""

    id: int
    is_first: bool
    is_last: bool


@dataclass(slots=True)
class _Run:
    """Steps one after the other from `start_ns`; `ends_ns` has the end of each."""

    start_ns: int
    ends_ns: list[int]

    @property
    def steps(self) -> int:
        return len(self.ends_ns)

    @property
    def end_ns(self) -> int:
        return self.ends_ns[-1]

    def begun(self, now_ns: int) -> int:
        """Steps planned by `now_ns`, the one under way included."""
        return min(self.steps, bisect_right(self.ends_ns, now_ns) + 1)

    def cut(self, now_ns: int) -> None:
        """End with the step that is under way at `now_ns`."""
        del self.ends_ns[bisect_left(self.ends_ns, now_ns) + 1 :]


class Replica:
    """Call `add` at any time, `complete` when `next_ns` is reached, then `start`."""

    def __init__(self, config: SchedulerConfig, step_time: StepTimeModel) -> None:
        self.config, self._step_time = config, step_time
        self._free = config.kv_blocks
        self._waiting: deque[_Sequence] = deque()
        self._prefills: list[_Sequence] = []
        self._decodes: dict[int, _Sequence] = {}
        self._due = [0] * config.block_size_tokens  # decodes by the residue of (computed - steps): who needs a block
        self._ends: list[tuple[int, int, int, _Sequence]] = []
        self._steps = self._arrivals = self._busy_ns = self.preemptions = 0
        self._run: _Run | None = None
        self._blocks_taken = False  # by the plan of the run under way; else its decodes take theirs at its end
        self._plain_ns: dict[tuple[int, int], int] = {}
        self._context = 0  # computed tokens of all decodes at the present step

    @property
    def running(self) -> int:
        return len(self._decodes) + len(self._prefills)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def next_ns(self) -> int | None:
        """When the run under way ends; None when idle."""
        return None if self._run is None else self._run.end_ns

    def kv_usage(self, now_ns: int) -> float:
        """Share of blocks in use at a moment within the run under way."""
        free = self._free
        if self._run is not None and not self._blocks_taken:
            free -= self._blocks_due(self._run.begun(now_ns))
        return 1 - free / self.config.kv_blocks

    def busy_ns(self, now_ns: int) -> int:
        """Time spent in steps so far."""
        return self._busy_ns + (now_ns - self._run.start_ns if self._run is not None else 0)

    def add(self, id_: int, *, prompt_tokens: int, output_tokens: int, now_ns: int) -> None:
        """Queue a request that fits the replica alone. A run under way ends with the step that is running now."""
        self._waiting.append(_Sequence(id_, prompt_tokens, output_tokens, self._arrivals))
        self._arrivals += 1
        if self._run is not None:
            self._run.cut(now_ns)

    def start(self, now_ns: int) -> None:
        """Plan what runs next, if anything does and no run is under way."""
        if self._run is not None or not (self._waiting or self._prefills or self._decodes):
            return
        self._blocks_taken = False
        due = self._due[-self._steps % self.config.block_size_tokens]
        if due > self._free or not self._plan_prefills(due):
            self._plan_carefully()
        steps = 1 if self._prefills or self._blocks_taken else self._run_length()
        self._run = _Run(now_ns, self._step_ends(now_ns, steps))

    def _step_ends(self, now_ns: int, steps: int) -> list[int]:
        """When each of the next `steps` steps ends: each adds a token of context for every decode."""
        scheduled = [s for s in self._prefills if s.scheduled]
        singles = [s for s in scheduled if s.emitted and s.missing == 1]  # the scheduler takes them for decodes
        decodes = len(self._decodes) + len(singles)
        prefill_tokens = sum(s.scheduled for s in scheduled) - len(singles)
        context = self._context + sum(s.computed for s in singles)
        included = self._step_time.kv_included_tokens * decodes
        if context + steps * decodes <= included or not self._step_time.kv_ms_per_1k_tokens:
            step_ns = self._plain_step_ns(decodes, prefill_tokens)
            return [now_ns + step * step_ns for step in range(1, steps + 1)]
        ends, at = [], now_ns
        for _ in range(steps):
            at += self._step_ns(decodes, prefill_tokens, context)
            ends.append(at)
            context += decodes
        return ends

    def _plain_step_ns(self, decodes: int, prefill_tokens: int) -> int:
        """A step whose context costs nothing: the same for each batch, hence remembered."""
        key = (decodes, prefill_tokens)
        found = self._plain_ns.get(key)
        if found is None:
            found = self._plain_ns[key] = self._step_ns(decodes, prefill_tokens, 0)
        return found

    def _step_ns(self, decodes: int, prefill_tokens: int, context_tokens: int) -> int:
        seconds = self._step_time.duration_of_s(
            decode_seqs=decodes, prefill_tokens=prefill_tokens, context_tokens=context_tokens
        )
        return max(1, round(seconds * NS))

    def complete(self) -> list[Token]:
        """End the run under way: its first and last tokens."""
        run, self._run = self._run, None
        if run is None:
            raise RuntimeError("no run is under way")
        self._busy_ns += run.end_ns - run.start_ns
        if not self._blocks_taken:
            self._free -= self._blocks_due(run.steps)
        self._steps += run.steps
        self._context += run.steps * len(self._decodes)
        tokens = self._ended()
        for sequence in [s for s in self._prefills if s.scheduled]:
            sequence.computed += sequence.scheduled
            sequence.scheduled = 0
            if sequence.missing == 0:
                tokens.append(self._caught_up(sequence))
        return tokens

    def _plan_prefills(self, due: int) -> bool:
        """Give out tokens when every block is there; False when the reference would preempt (nothing is changed)."""
        budget = self.config.max_num_batched_tokens - len(self._decodes)
        free = self._free - due
        grants: list[tuple[_Sequence, int, int]] = []
        for sequence in self._prefills:
            if budget == 0:
                break
            if sequence.emitted and sequence.missing == 1:
                return False  # the reference takes it for a decode: its place in the order is another
            tokens = min(sequence.missing, budget)
            blocks = self.config.blocks_for(sequence.computed + tokens) - sequence.blocks
            if blocks > free:
                return False
            grants.append((sequence, tokens, blocks))
            budget, free = budget - tokens, free - blocks
        if grants or (self._waiting and self._can_admit(budget, free)):
            self._free -= due
            self._blocks_taken = True
            for sequence, tokens, blocks in grants:
                self._grant(sequence, tokens, blocks)
            self._admit(budget)
        return True

    def _can_admit(self, budget: int, free: int) -> bool:
        if budget == 0 or self.running >= self.config.max_num_seqs:
            return False
        return self.config.blocks_for(min(self._waiting[0].missing, budget)) <= free

    def _admit(self, budget: int) -> None:
        while self._waiting and self._can_admit(budget, self._free):
            sequence = self._waiting.popleft()
            tokens = min(sequence.missing, budget)
            self._prefills.append(sequence)
            self._grant(sequence, tokens, self.config.blocks_for(tokens))
            budget -= tokens

    def _grant(self, sequence: _Sequence, tokens: int, blocks: int) -> None:
        sequence.scheduled = tokens
        sequence.blocks += blocks
        self._free -= blocks

    def _plan_carefully(self) -> None:
        """A step in which blocks may run out, in the scheduler's order: decodes first, victims from the end."""
        for sequence in self._decodes.values():
            self._settle(sequence)
        running = sorted([*self._decodes.values(), *self._prefills], key=lambda s: s.arrival)
        budget, victims = self.config.max_num_batched_tokens, 0
        planned: list[_Sequence] = []
        decodes = [s for s in running if s.emitted and s.missing == 1]
        for sequence in decodes + [s for s in running if not (s.emitted and s.missing == 1)]:
            if budget == 0:
                break
            if sequence not in running:
                continue
            tokens = min(sequence.missing, budget)
            while (blocks := self.config.blocks_for(sequence.computed + tokens) - sequence.blocks) > self._free:
                victim = running.pop()
                budget += victim.scheduled
                self._preempt(victim)
                victims += 1
                if victim is sequence:
                    break
            else:
                self._grant(sequence, tokens, blocks)
                budget -= tokens
                planned.append(sequence)
        self._blocks_taken = True
        if not victims:
            self._admit(budget)
        for sequence in planned:
            if sequence.decoding:
                sequence.scheduled = 0

    def _preempt(self, sequence: _Sequence) -> None:
        if sequence.decoding:
            self._leave(sequence)
        else:
            self._prefills.remove(sequence)
        self._free += sequence.blocks
        sequence.blocks = sequence.computed = sequence.scheduled = 0
        sequence.life += 1
        self._waiting.appendleft(sequence)
        self.preemptions += 1

    def _settle(self, sequence: _Sequence) -> None:
        """Bring a decode's counts up to the present step."""
        ahead = self._steps - sequence.since
        sequence.computed += ahead
        sequence.emitted += ahead
        sequence.since = self._steps
        sequence.blocks = self.config.blocks_for(sequence.computed)

    def _run_length(self) -> int:
        """Steps until the next end, or until the blocks could run out; not many more than an arrival would leave."""
        steps = min(_LONGEST_RUN, max(1, self._next_end() - self._steps))
        size, decodes = self.config.block_size_tokens, len(self._decodes)
        if decodes * (steps // size + 1) <= self._free:
            return steps
        free, sure = self._free, 0
        while sure < steps:
            free -= self._due[-(self._steps + sure) % size]
            if free < 0:
                break
            sure += 1
        return max(1, sure)

    def _next_end(self) -> int:
        while self._ends[0][2] != self._ends[0][3].life:
            heappop(self._ends)  # preempted since
        return self._ends[0][0]

    def _blocks_due(self, steps: int) -> int:
        """Blocks that the decodes take in the next `steps` steps."""
        size = self.config.block_size_tokens
        whole, rest = divmod(steps, size)
        part = sum(self._due[-(self._steps + step) % size] for step in range(rest))
        return whole * len(self._decodes) + part

    def _ended(self) -> list[Token]:
        tokens: list[Token] = []
        while self._ends and (self._ends[0][0] <= self._steps or self._ends[0][2] != self._ends[0][3].life):
            _, _, life, sequence = heappop(self._ends)
            if life == sequence.life:
                self._settle(sequence)
                self._leave(sequence)
                self._free += sequence.blocks
                tokens.append(Token(sequence.id, is_first=False, is_last=True))
        return tokens

    def _caught_up(self, sequence: _Sequence) -> Token:
        """The end of a prefill: a token, and the sequence decodes from here on."""
        self._prefills.remove(sequence)
        sequence.emitted += 1
        token = Token(sequence.id, sequence.emitted == 1, sequence.emitted == sequence.output)
        if token.is_last:
            self._free += sequence.blocks
            return token
        sequence.since, sequence.decoding = self._steps, True
        self._decodes[sequence.id] = sequence
        self._context += sequence.computed
        self._due[self._residue(sequence)] += 1
        end = self._steps + sequence.output - sequence.emitted
        heappush(self._ends, (end, sequence.arrival, sequence.life, sequence))
        return token

    def _leave(self, sequence: _Sequence) -> None:
        """Out of the decodes; its counts must be settled."""
        self._context -= sequence.computed
        self._due[self._residue(sequence)] -= 1
        sequence.decoding = False
        del self._decodes[sequence.id]

    def _residue(self, sequence: _Sequence) -> int:
        return (sequence.computed - sequence.since) % self.config.block_size_tokens

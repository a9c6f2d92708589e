"""The batch of one replica, planned exactly as `serving.batching.Scheduler` plans it, without an object a token.

What makes it fast: all decodes advance by one token a step, so a decode is known by the step at which it joined, and
steps without prefill can be taken together until a sequence ends or blocks run out. Steps that preempt are planned
sequence by sequence in the reference's order. All requests have one priority and share no prefix here.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush

from serving.batching import SchedulerConfig
from serving.simulator.decodes import LONGEST_REACH, Decodes
from serving.simulator.engine import Token
from serving.simulator.sequence import Sequence
from serving.simulator.steps import Plan


class Batch(Decodes):
    """`plan`, `advance` by the steps planned or fewer, `drop` who left meanwhile, `collect`.

    `free` blocks are those below the limit: negative when a new limit leaves too few for those that run.
    """

    def __init__(self, config: SchedulerConfig) -> None:
        super().__init__(config)
        self.preemptions = 0
        self.waiting: deque[Sequence] = deque()
        self._withheld = 0
        self._prefills: list[Sequence] = []
        self._blocks_taken = False  # by the plan; else its decodes take theirs when they advance

    @property
    def running(self) -> int:
        return len(self._decodes) + len(self._prefills)

    @property
    def decodes(self) -> int:
        return len(self._decodes)

    @property
    def is_empty(self) -> bool:
        return not (self._decodes or self._prefills or self.waiting)

    def is_running(self, sequence: Sequence) -> bool:
        return sequence.decoding or sequence in self._prefills

    def used_blocks(self, steps: int) -> int:
        """Blocks in use within the `steps`-th step planned; 0: between two plans."""
        due = 0 if self._blocks_taken else self._blocks_due(steps)
        return self.config.kv_blocks - self._withheld - self.free + due

    def limit_blocks(self, blocks: int | None) -> None:
        total = self.config.kv_blocks
        withheld = 0 if blocks is None else total - min(total, max(0, blocks))
        self.free += self._withheld - withheld
        self._withheld = withheld

    def plan(self) -> Plan | None:
        """What runs next; None when nothing can."""
        self._blocks_taken = False
        due = self._due[-self._steps % self.config.block_size_tokens]
        if due > self.free or ((self._prefills or self.waiting) and not self._plan_prefills(due)):
            self._plan_carefully()
            if not self.running:  # a step that only preempted is none
                self._plan_carefully()
        if not self._prefills:
            if not self._decodes:
                return None
            return Plan(1 if self._blocks_taken else self._run_length(), len(self._decodes), 0, self._context, 0)
        return self._mixed_plan()

    def _mixed_plan(self) -> Plan:
        decodes, prefill_tokens, context_tokens, pairs = len(self._decodes), 0, self._context, 0
        for sequence in self._prefills:
            if sequence.lacks_one:
                decodes += 1
                context_tokens += sequence.computed
            else:
                prefill_tokens += sequence.scheduled
                pairs += sequence.scheduled * sequence.computed
        return Plan(1, decodes, prefill_tokens, context_tokens, pairs)

    def advance(self, steps: int, end_ns: int, longest_gap_ns: int) -> None:
        """So many steps have run, the last one until `end_ns`."""
        if not self._blocks_taken:
            self.free -= self._blocks_due(steps)
            self._blocks_taken = True
        if steps == self._reach:
            self._reach = min(LONGEST_REACH, 2 * steps)
        self._steps += steps
        self._context += steps * len(self._decodes)
        if self._decodes:
            self.ends.note(self._steps, longest_gap_ns)
        else:
            self.ends.forget()
        self.ends.last_ns = end_ns

    def drop(self, sequence: Sequence) -> None:
        """It leaves without a token of the step that ended."""
        if sequence.decoding:
            self._settle(sequence)
            self._leave(sequence)
        elif sequence in self._prefills:
            self._prefills.remove(sequence)
        else:
            self.waiting.remove(sequence)
        self.free += sequence.blocks

    def collect(self) -> list[Token]:
        """First and last tokens of the step that ended."""
        tokens = self._finished() if self._finishes else []
        if self._prefills:
            prefills, self._prefills = self._prefills, []
            for sequence in prefills:
                sequence.computed += sequence.scheduled
                sequence.scheduled = 0
                if sequence.missing:
                    self._prefills.append(sequence)
                else:
                    token = self._caught_up(sequence)
                    if token.is_first or token.is_last:
                        tokens.append(token)
        return tokens

    def _plan_prefills(self, due: int) -> bool:
        """Give out tokens when every block is there; False when the reference would preempt (nothing is changed)."""
        config = self.config
        budget = config.max_num_batched_tokens - len(self._decodes)
        free = self.free - due
        grants: list[tuple[Sequence, int, int]] = []
        for sequence in self._prefills:  # at most the one whose prompt goes on from the step before
            if sequence.lacks_one:
                return False  # a decode to the reference: its place in the order is another
            tokens = min(sequence.missing, budget)
            blocks = config.blocks_for(sequence.computed + tokens) - sequence.blocks
            if blocks > free:
                return False
            grants.append((sequence, tokens, blocks))
            budget, free = budget - tokens, free - blocks
        if grants or self._can_admit(budget, free):
            self.free -= due
            self._blocks_taken = True
            for sequence, tokens, blocks in grants:
                self._grant(sequence, tokens, blocks)
            self._admit(budget)
        return True

    def _can_admit(self, budget: int, free: int) -> bool:
        if not self.waiting or budget == 0 or self.running >= self.config.max_num_seqs:
            return False
        return self.config.blocks_for(min(self.waiting[0].missing, budget)) <= free

    def _admit(self, budget: int) -> None:
        while self._can_admit(budget, self.free):
            sequence = self.waiting.popleft()
            tokens = min(sequence.missing, budget)
            self._prefills.append(sequence)
            self._grant(sequence, tokens, self.config.blocks_for(tokens))
            budget -= tokens

    def _grant(self, sequence: Sequence, tokens: int, blocks: int) -> None:
        sequence.scheduled = tokens
        sequence.blocks += blocks
        self.free -= blocks

    def _plan_carefully(self) -> None:
        """A step in which blocks may run out, in the scheduler's order: decodes first, victims from the end."""
        for sequence in self._decodes.values():
            self._settle(sequence)
        running = sorted([*self._decodes.values(), *self._prefills], key=lambda s: s.arrival)
        budget, before = self.config.max_num_batched_tokens, self.preemptions
        while self.free < 0:
            self._preempt(running.pop())
        planned: list[Sequence] = []
        for sequence in [s for s in running if s.lacks_one] + [s for s in running if not s.lacks_one]:
            if not running or sequence.arrival > running[-1].arrival:
                continue  # preempted for one before it
            tokens = min(sequence.missing, budget)
            while (blocks := self.config.blocks_for(sequence.computed + tokens) - sequence.blocks) > self.free:
                victim = running.pop()
                budget += victim.scheduled
                self._preempt(victim)
                if victim is sequence:
                    break
            else:
                self._grant(sequence, tokens, blocks)
                budget -= tokens
                planned.append(sequence)
        self._blocks_taken = True
        if self.preemptions == before:
            self._admit(budget)
        for sequence in planned:
            if sequence.decoding:
                sequence.scheduled = 0

    def _preempt(self, sequence: Sequence) -> None:
        if sequence.decoding:
            sequence.gap_ns = max(sequence.gap_ns, self.ends.longest_gap_ns(sequence.joined))
            sequence.last_ns = self.ends.last_ns
            self._leave(sequence)
        else:
            self._prefills.remove(sequence)
        self.free += sequence.blocks
        sequence.lost += sequence.computed
        sequence.blocks = sequence.computed = sequence.scheduled = 0
        self.waiting.appendleft(sequence)
        self.preemptions += 1

    def _finished(self) -> list[Token]:
        tokens: list[Token] = []
        finishes = self._finishes
        while finishes and (finishes[0][0] <= self._steps or finishes[0][2] != finishes[0][3].life):
            _, _, life, sequence = heappop(finishes)
            if life == sequence.life:
                self._settle(sequence)
                self._leave(sequence)
                self.free += sequence.blocks
                gap_ns = max(sequence.gap_ns, self.ends.longest_gap_ns(sequence.joined))
                tokens.append(Token(sequence.id, False, True, gap_ns, sequence.lost))
        return tokens

    def _caught_up(self, sequence: Sequence) -> Token:
        """The end of a prefill: a token, and the sequence decodes from here on."""
        is_first = sequence.emitted == sequence.resumed
        sequence.emitted += 1
        if not is_first:
            sequence.gap_ns = max(sequence.gap_ns, self.ends.last_ns - sequence.last_ns)
        if sequence.emitted == sequence.output:
            self.free += sequence.blocks
            return Token(sequence.id, is_first, True, sequence.gap_ns, sequence.lost)
        sequence.since = sequence.joined = self._steps
        sequence.decoding = True
        self._decodes[sequence.arrival] = sequence
        self._context += sequence.computed
        self._due[(sequence.computed - self._steps) % self.config.block_size_tokens] += 1
        finish = self._steps + sequence.output - sequence.emitted
        heappush(self._finishes, (finish, sequence.arrival, sequence.life, sequence))
        return Token(sequence.id, is_first, False)

"""The sequences of a batch that decode: one token each in every step, so that none of them is touched in a step.

A sequence is known by the step at which it joined. How many need a block in a step follows from counters, one for each
residue of (computed tokens - steps) by the block's size; who ends next from a heap.
"""

from __future__ import annotations

from heapq import heappop

from serving.batching import SchedulerConfig
from serving.simulator.sequence import Sequence, StepEnds

_SHORTEST_REACH, LONGEST_REACH = 4, 128


class Decodes:
    """`free` blocks are those below the limit: negative when a new limit leaves too few for those that run."""

    def __init__(self, config: SchedulerConfig) -> None:
        self.config = config
        self.free = config.kv_blocks
        self.ends = StepEnds()
        self._decodes: dict[int, Sequence] = {}  # by arrival
        self._due = [0] * config.block_size_tokens  # decodes by the residue of (computed - steps): who needs a block
        self._finishes: list[tuple[int, int, int, Sequence]] = []
        self._steps = 0
        self._reach = 16  # steps that are reckoned at once: about what passes until something comes between
        self._context = 0  # computed tokens of all decodes at the present step

    @property
    def is_decoding(self) -> bool:
        return bool(self._decodes)

    def reach_to(self, steps: int) -> None:
        """Of a plan's steps, only these were to run."""
        self._reach = min(LONGEST_REACH, max(_SHORTEST_REACH, 2 * steps))

    def tokens_since(self, sequence: Sequence) -> int:
        """Tokens that a sequence made beyond its `emitted` by the present step."""
        return self._steps - sequence.since if sequence.decoding else 0

    def _settle(self, sequence: Sequence) -> None:
        """Bring a decode's counts up to the present step."""
        ahead = self._steps - sequence.since
        sequence.computed += ahead
        sequence.emitted += ahead
        sequence.since = self._steps
        sequence.blocks = self.config.blocks_for(sequence.computed)

    def _run_length(self) -> int:
        """Steps until the next end, or until the blocks could run out; not many more than an arrival would leave."""
        finishes = self._finishes
        while finishes[0][2] != finishes[0][3].life:
            heappop(finishes)  # preempted since
        steps = min(self._reach, finishes[0][0] - self._steps)
        size, free = self.config.block_size_tokens, self.free
        if len(self._decodes) * (steps // size + 1) <= free:
            return steps
        sure = 0
        while sure < steps:
            free -= self._due[-(self._steps + sure) % size]
            if free < 0:
                break
            sure += 1
        return max(1, sure)

    def _blocks_due(self, steps: int) -> int:
        """Blocks that the decodes take in the next `steps` steps."""
        size, due, first = self.config.block_size_tokens, self._due, -self._steps
        if steps == 1:
            return due[first % size]
        whole, rest = divmod(steps, size)
        return whole * len(self._decodes) + sum([due[(first - step) % size] for step in range(rest)])

    def _leave(self, sequence: Sequence) -> None:
        """Out of the decodes; its counts must be settled."""
        self._context -= sequence.computed
        self._due[(sequence.computed - self._steps) % self.config.block_size_tokens] -= 1
        sequence.decoding = False
        sequence.life += 1
        del self._decodes[sequence.arrival]

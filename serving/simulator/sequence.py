"""A request inside the fast replica, and when the steps ended that gave it tokens."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Sequence:
    """`computed` and `emitted` hold at step `since` (of the replica's count) while it decodes, else now.

    It decodes without a break since step `joined`. `gap_ns`, `last_ns` and `lost` tell of the time before that, when
    it had tokens and was preempted. `life` grows with each such break, so that what was noted before can be told apart.
    """

    id: int
    prompt: int
    output: int
    arrival: int
    resumed: int = 0
    emitted: int = 0
    computed: int = 0
    blocks: int = 0
    since: int = 0
    joined: int = 0
    scheduled: int = 0
    decoding: bool = False
    life: int = 0
    gap_ns: int = 0
    last_ns: int = -1
    lost: int = 0

    @property
    def missing(self) -> int:
        return self.prompt + self.emitted - self.computed

    @property
    def lacks_one(self) -> bool:
        """Only its last token is left to compute: the scheduler takes it for a decode."""
        return self.emitted > 0 and self.prompt + self.emitted - self.computed == 1


class StepEnds:
    """When the last step ended, and the longest distance between the ends of two steps since any step.

    Kept are only distances that no later one exceeds: their steps ascend, they themselves fall, and the first one
    after a step is the longest since. That costs O(1) a step and O(log) a question.
    """

    def __init__(self) -> None:
        self.last_ns = 0
        self._steps: list[int] = []
        self._gaps_ns: list[int] = []

    def note(self, step: int, gap_ns: int) -> None:
        """So much lay between the end of `step` and that of the step before."""
        steps, gaps = self._steps, self._gaps_ns
        while gaps and gaps[-1] <= gap_ns:
            gaps.pop()
            steps.pop()
        gaps.append(gap_ns)
        steps.append(step)

    def longest_gap_ns(self, since_step: int) -> int:
        at = bisect_right(self._steps, since_step)
        return self._gaps_ns[at] if at < len(self._gaps_ns) else 0

    def forget(self) -> None:
        """Nobody decodes: no past step matters to anybody."""
        self._steps.clear()
        self._gaps_ns.clear()

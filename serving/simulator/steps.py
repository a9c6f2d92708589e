"""A stretch of steps of one replica that nothing interrupts, and how long its steps take."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import NamedTuple

from serving.batching import StepTimeModel
from serving.simulator.model import NS


class Plan(NamedTuple):
    """So many steps of the same batch; `context_tokens` are those of its decodes at the first one."""

    steps: int
    decodes: int
    prefill_tokens: int
    context_tokens: int


class Run:
    """Steps one after the other from `start_ns`; `ends_ns` has the end of each."""

    __slots__ = ("ends_ns", "start_ns")

    def __init__(self, start_ns: int, ends_ns: list[int]) -> None:
        self.start_ns, self.ends_ns = start_ns, ends_ns

    @property
    def steps(self) -> int:
        return len(self.ends_ns)

    @property
    def end_ns(self) -> int:
        return self.ends_ns[-1]

    def begun(self, now_ns: int) -> int:
        """Steps planned by `now_ns`, the one under way included."""
        return min(len(self.ends_ns), bisect_left(self.ends_ns, now_ns) + 1)

    def ended(self, now_ns: int) -> int:
        """Steps that ended before `now_ns`."""
        return bisect_left(self.ends_ns, now_ns)

    def cut(self, now_ns: int) -> None:
        """End with the step that is under way at `now_ns`."""
        del self.ends_ns[bisect_left(self.ends_ns, now_ns) + 1 :]

    def longest_gap_ns(self, before_ns: int, steps: int) -> int:
        """The longest distance between two ends, of the first `steps` and the one of `before_ns`."""
        if steps == 0:
            return 0
        inner = max((later - earlier for earlier, later in pairwise(self.ends_ns[:steps])), default=0)
        return max(inner, self.ends_ns[0] - before_ns)


class StepTimes:
    """Durations of one replica's steps in whole ns, `factor` times what the model says."""

    def __init__(self, model: StepTimeModel) -> None:
        self._model = model
        self._factor = 1.0
        self._plain_ns: dict[tuple[int, int], int] = {}

    @property
    def factor(self) -> float:
        return self._factor

    @factor.setter
    def factor(self, factor: float) -> None:
        self._factor = factor
        self._plain_ns.clear()

    def run(self, start_ns: int, plan: Plan) -> Run:
        """The steps of a plan: each adds a token of context for every decode."""
        steps, decodes, prefill_tokens, context_tokens = plan
        included = self._model.kv_included_tokens * decodes
        if context_tokens + steps * decodes <= included or not self._model.kv_ms_per_1k_tokens:
            step_ns = self._plain(decodes, prefill_tokens)
            return Run(start_ns, [start_ns + step * step_ns for step in range(1, steps + 1)])
        ends, at = [], start_ns
        for _ in range(steps):
            at += self._ns(decodes, prefill_tokens, context_tokens)
            ends.append(at)
            context_tokens += decodes
        return Run(start_ns, ends)

    def _plain(self, decodes: int, prefill_tokens: int) -> int:
        """A step whose context costs nothing: the same for each batch, hence remembered."""
        key = (decodes, prefill_tokens)
        found = self._plain_ns.get(key)
        if found is None:
            found = self._plain_ns[key] = self._ns(decodes, prefill_tokens, 0)
        return found

    def _ns(self, decodes: int, prefill_tokens: int, context_tokens: int) -> int:
        seconds = self._model.duration_of_s(
            decode_seqs=decodes, prefill_tokens=prefill_tokens, context_tokens=context_tokens
        )
        return max(1, round(seconds * self._factor * NS))

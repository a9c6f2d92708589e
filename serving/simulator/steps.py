"""A stretch of steps of one replica that nothing interrupts, and how long its steps take."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from operator import sub
from typing import NamedTuple

from serving.batching import StepTimeModel
from serving.simulator.model import NS


class Plan(NamedTuple):
    """So many steps of the same batch; `context_tokens` are those of its decodes at the first one, `prefill_pairs` as
    the step-time model has them.
    """

    steps: int
    decodes: int
    prefill_tokens: int
    context_tokens: int
    prefill_pairs: int


class EvenRun:
    """Steps of one length, one after the other from `start_ns`."""

    __slots__ = ("end_ns", "start_ns", "step_ns", "steps")

    def __init__(self, start_ns: int, step_ns: int, steps: int) -> None:
        self.start_ns, self.step_ns, self.steps = start_ns, step_ns, steps
        self.end_ns = start_ns + steps * step_ns

    def ended(self, now_ns: int) -> int:
        """Steps that ended before `now_ns`."""
        return min(self.steps, max(0, (now_ns - 1 - self.start_ns) // self.step_ns))

    def end_of(self, step: int) -> int:
        """When the `step`-th ends, counted from 1."""
        return self.start_ns + step * self.step_ns

    def cut(self, now_ns: int) -> bool:
        """End with the step that is under way at `now_ns`. False when that is the last one anyway."""
        steps = self.ended(now_ns) + 1
        if steps >= self.steps:
            return False
        self.steps, self.end_ns = steps, self.start_ns + steps * self.step_ns
        return True

    def longest_gap_ns(self, before_ns: int, steps: int) -> int:
        """The longest distance between two ends, of the first `steps` and the one of `before_ns`."""
        return max(self.start_ns - before_ns, 0) + self.step_ns if steps else 0


class UnevenRun:
    """Steps of any lengths; `ends_ns` has the end of each. As `EvenRun`."""

    __slots__ = ("end_ns", "ends_ns", "start_ns", "steps")

    def __init__(self, start_ns: int, ends_ns: list[int]) -> None:
        self.start_ns, self.ends_ns = start_ns, ends_ns
        self.steps, self.end_ns = len(ends_ns), ends_ns[-1]

    def ended(self, now_ns: int) -> int:
        return bisect_left(self.ends_ns, now_ns)

    def end_of(self, step: int) -> int:
        return self.ends_ns[step - 1]

    def cut(self, now_ns: int) -> bool:
        steps = bisect_left(self.ends_ns, now_ns) + 1
        if steps >= self.steps:
            return False
        del self.ends_ns[steps:]
        self.steps, self.end_ns = steps, self.ends_ns[-1]
        return True

    def longest_gap_ns(self, before_ns: int, steps: int) -> int:
        if steps == 0:
            return 0
        ends = self.ends_ns if steps == self.steps else self.ends_ns[:steps]
        first_ns = ends[0] - before_ns
        return max(first_ns, max(map(sub, ends[1:], ends))) if steps > 1 else first_ns


Run = EvenRun | UnevenRun


class StepTimes:
    """Durations of one replica's steps in whole ns, `factor` times what the model says.

    The model's formula with its part for the batch alone remembered; a test holds it to the model.
    """

    def __init__(self, model: StepTimeModel) -> None:
        self._model = model
        self._kv_ms, self._included = model.kv_ms_per_1k_tokens, model.kv_included_tokens
        self.factor = 1.0
        self._plain_ms: dict[tuple[int, int], float] = {}

    def run(self, start_ns: int, plan: Plan) -> Run:
        """The steps of a plan: each adds a token of context for every decode."""
        steps, decodes, prefill_tokens, context_tokens, prefill_pairs = plan
        key = (decodes, prefill_tokens)
        plain_ms = self._plain_ms.get(key)
        if plain_ms is None:
            plain_ms = self._plain_ms[key] = self._model.plain_ms(decodes, prefill_tokens)
        pairs_ms = self._model.prefill_ms_per_1m_pairs * prefill_pairs / 1e6
        host_ms, kv_ms, factor = self._model.host_overhead_ms, self._kv_ms, self.factor
        beyond = context_tokens - self._included * decodes
        if not kv_ms or beyond + steps * decodes <= 0:
            step_ns = max(1, round((plain_ms + pairs_ms + host_ms) / 1000 * factor * NS))
            return EvenRun(start_ns, step_ns, steps)
        within = range(beyond, beyond + steps * decodes, decodes)
        if beyond > 0:
            lengths = [round((plain_ms + kv_ms * n / 1000 + pairs_ms + host_ms) / 1000 * factor * NS) for n in within]
        else:
            costs = [kv_ms * n / 1000 if n > 0 else 0.0 for n in within]
            lengths = [round((plain_ms + kv + pairs_ms + host_ms) / 1000 * factor * NS) for kv in costs]
        if lengths[0] < 1:  # the shortest
            lengths = [max(1, length) for length in lengths]
        ends = list(accumulate(lengths, initial=start_ns))
        del ends[0]
        return UnevenRun(start_ns, ends)

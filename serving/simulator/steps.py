"""A stretch of steps of one replica that nothing interrupts, and how long its steps take."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
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
            return Run(start_ns, [start_ns + step * step_ns for step in range(1, steps + 1)])
        ends, at = [], start_ns
        for _ in range(steps):
            kv = kv_ms * beyond / 1000 if beyond > 0 else 0.0
            at += max(1, round((plain_ms + kv + pairs_ms + host_ms) / 1000 * factor * NS))
            ends.append(at)
            beyond += decodes
        return Run(start_ns, ends)

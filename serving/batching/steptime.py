"""How long one engine step takes on the emulated GPU: measured tables, linear between their knots.

A batch that mixes prefill and decode costs more than its parts run apart (the attention kernels of the two
interfere), hence a factor on their sum. Decodes also read the KV of their whole context, which the memory's bandwidth
bounds: a term in proportion to the context tokens. Known limit: a prefill's attention to the context of its earlier
chunks costs nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise

from serving.batching.model import StepPlan
from serving.errors import BadInput


@dataclass(frozen=True, slots=True)
class Curve:
    """A piecewise linear function through `knots` (x ascending); the outer segments go on beyond the ends."""

    knots: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        xs = [x for x, _ in self.knots]
        if len(xs) < 2 or any(later <= earlier for earlier, later in pairwise(xs)):
            raise BadInput(f"curve: x values are {xs}: give at least two, ascending")

    def at(self, x: float) -> float:
        upper = min(max(bisect_left(self.knots, (x,)), 1), len(self.knots) - 1)
        (x0, y0), (x1, y1) = self.knots[upper - 1], self.knots[upper]
        return y0 + (x - x0) * (y1 - y0) / (x1 - x0)


@dataclass(frozen=True, slots=True)
class StepTimeModel:
    """Step duration from the batch: `decode_ms` over sequences, `prefill_ms` over tokens, both of pure batches.

    Below its first knot the prefill curve runs down to a decode step of one sequence at one token, which is what such
    a prefill is. `decode_ms` holds for contexts of `kv_included_tokens` a sequence; each 1,000 context tokens of the
    batch beyond these add `kv_ms_per_1k_tokens`.
    """

    decode_ms: Curve
    prefill_ms: Curve
    mixed_factor: float = 1.0
    host_overhead_ms: float = 0.0
    kv_ms_per_1k_tokens: float = 0.0
    kv_included_tokens: int = 0

    @classmethod
    def from_tables(
        cls,
        *,
        decode_ms: dict[int, float],
        prefill_ms: dict[int, float],
        mixed_factor: float = 1.0,
        host_overhead_ms: float = 0.0,
        kv_ms_per_1k_tokens: float = 0.0,
        kv_included_tokens: int = 0,
    ) -> StepTimeModel:
        """Tables of {sequences: ms} and {tokens: ms}."""
        decode = Curve(tuple(sorted(decode_ms.items())))
        floor = {1: decode.at(1)} if min(prefill_ms) > 1 else {}
        prefill = Curve(tuple(sorted({**prefill_ms, **floor}.items())))
        return cls(decode, prefill, mixed_factor, host_overhead_ms, kv_ms_per_1k_tokens, kv_included_tokens)

    def duration_s(self, plan: StepPlan) -> float:
        """Duration of a planned step on the emulated hardware, seconds; 0 for an empty plan."""
        return self.duration_of_s(
            decode_seqs=plan.decode_seqs,
            prefill_tokens=plan.prefill_tokens,
            context_tokens=plan.decode_context_tokens,
        )

    def duration_of_s(self, *, decode_seqs: int, prefill_tokens: int, context_tokens: int = 0) -> float:
        """Duration of a step with this batch, seconds; `context_tokens` are those of the decodes, summed."""
        decode = self.decode_ms.at(decode_seqs) if decode_seqs else 0.0
        prefill = self.prefill_ms.at(prefill_tokens) if prefill_tokens else 0.0
        if not decode and not prefill:
            return 0.0
        factor = self.mixed_factor if decode and prefill else 1.0
        beyond = context_tokens - self.kv_included_tokens * decode_seqs
        kv = self.kv_ms_per_1k_tokens * beyond / 1000 if beyond > 0 else 0.0
        return (factor * (decode + prefill) + kv + self.host_overhead_ms) / 1000

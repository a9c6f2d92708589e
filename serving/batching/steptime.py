"""How long one engine step takes: curves by regime, linear between their knots, and a few coefficients.

Decode-only, prefill-only and mixed batches are timed apart, since a fit of all three by one line is about 30 % off.
With n decodes that have c tokens of context among them, p prefill tokens, and q the pairs (token of a prefill, token of
its earlier chunks) that attention computes, a step takes, in milliseconds,

    decode(n)                            when p = 0
    prefill(p)                           when n = 0
    mixed(n + p), or without that curve
    mixed_factor x (decode(n) + prefill(p))
    + kv_ms_per_1k_tokens x max(0, c - n x kv_included_tokens) / 1,000
    + prefill_ms_per_1m_pairs x q / 1,000,000
    + host_overhead_ms

A `table` of measurements, `knots` with a hinge where a batch begins to be bound by arithmetic, and a `linear` model
are all this form, so the engine, the simulator and its compiled kernel need no other: `arrays()` gives the same
numbers flat. Apart from q a step depends on (n, p) by a value worth remembering, and on c linearly beyond the included.
`request_overhead_ms` is no part of a step: it lies between a request's arrival and its place in the replica's queue
(API server, IPC, a scheduler that plans one step ahead); a host's property like `host_overhead_ms`.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True, slots=True, eq=False)
class StepTimeArrays:
    """A model as float64 arrays for compiled code: the knots of each curve, x and y (ms), `mixed_*` empty without that
    curve, and `coefficients` = mixed_factor, host_overhead_ms, kv_ms_per_1k_tokens, kv_included_tokens,
    prefill_ms_per_1m_pairs. The formula is the module's; between knots as `Curve.at` does it.
    """

    decode_x: NDArray[np.float64]
    decode_y: NDArray[np.float64]
    prefill_x: NDArray[np.float64]
    prefill_y: NDArray[np.float64]
    mixed_x: NDArray[np.float64]
    mixed_y: NDArray[np.float64]
    coefficients: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StepTimeModel:
    """Step duration from the batch: `decode_ms` over sequences, `prefill_ms` over tokens, both of pure batches, and
    `mixed_ms` over the tokens of both kinds together.

    `decode_ms` holds for contexts of `kv_included_tokens` a sequence.
    """

    decode_ms: Curve
    prefill_ms: Curve
    mixed_factor: float = 1.0
    host_overhead_ms: float = 0.0
    kv_ms_per_1k_tokens: float = 0.0
    kv_included_tokens: int = 0
    mixed_ms: Curve | None = None
    prefill_ms_per_1m_pairs: float = 0.0
    request_overhead_ms: float = 0.0

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
        mixed_ms: dict[int, float] | None = None,
        prefill_ms_per_1m_pairs: float = 0.0,
        request_overhead_ms: float = 0.0,
    ) -> StepTimeModel:
        """Tables of {sequences: ms} and {tokens: ms}.

        Below its first row the prefill table runs down to a decode step of one sequence at one token, which is what
        such a prefill is.
        """
        decode = Curve(tuple(sorted(decode_ms.items())))
        floor = {1: decode.at(1)} if min(prefill_ms) > 1 else {}
        return cls(
            decode,
            Curve(tuple(sorted({**prefill_ms, **floor}.items()))),
            mixed_factor,
            host_overhead_ms,
            kv_ms_per_1k_tokens,
            kv_included_tokens,
            Curve(tuple(sorted(mixed_ms.items()))) if mixed_ms else None,
            prefill_ms_per_1m_pairs,
            request_overhead_ms,
        )

    def duration_s(self, plan: StepPlan) -> float:
        """Duration of a planned step on the emulated hardware, seconds; 0 for an empty plan."""
        return self.duration_of_s(
            decode_seqs=plan.decode_seqs,
            prefill_tokens=plan.prefill_tokens,
            context_tokens=plan.decode_context_tokens,
            prefill_pairs=plan.prefill_pairs if self.prefill_ms_per_1m_pairs else 0,
        )

    def duration_of_s(
        self, *, decode_seqs: int, prefill_tokens: int, context_tokens: int = 0, prefill_pairs: int = 0
    ) -> float:
        """Duration of a step with this batch, seconds.

        `context_tokens` are those of the decodes, summed; `prefill_pairs` is the sum over the prefills of their tokens
        in this step times those computed before it.
        """
        if not decode_seqs and not prefill_tokens:
            return 0.0
        beyond = context_tokens - self.kv_included_tokens * decode_seqs
        kv = self.kv_ms_per_1k_tokens * beyond / 1000 if beyond > 0 else 0.0
        pairs = self.prefill_ms_per_1m_pairs * prefill_pairs / 1e6
        return (self.plain_ms(decode_seqs, prefill_tokens) + kv + pairs + self.host_overhead_ms) / 1000

    def plain_ms(self, decode_seqs: int, prefill_tokens: int) -> float:
        """The part that depends on the batch alone, milliseconds: worth remembering. Not for an empty batch."""
        if not prefill_tokens:
            return self.decode_ms.at(decode_seqs)
        if not decode_seqs:
            return self.prefill_ms.at(prefill_tokens)
        if self.mixed_ms is not None:
            return self.mixed_ms.at(decode_seqs + prefill_tokens)
        return self.mixed_factor * (self.decode_ms.at(decode_seqs) + self.prefill_ms.at(prefill_tokens))

    def arrays(self) -> StepTimeArrays:
        """The model for compiled code."""
        curves = [self.decode_ms.knots, self.prefill_ms.knots, self.mixed_ms.knots if self.mixed_ms else ()]
        columns = [np.array([knot[i] for knot in knots], dtype=np.float64) for knots in curves for i in (0, 1)]
        coefficients = (
            self.mixed_factor,
            self.host_overhead_ms,
            self.kv_ms_per_1k_tokens,
            self.kv_included_tokens,
            self.prefill_ms_per_1m_pairs,
        )
        return StepTimeArrays(*columns, *[np.array(coefficients, dtype=np.float64)])

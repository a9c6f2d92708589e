"""The few numbers that are fitted, and the step-time model they stand for.

    base(T)   = base_ms x (1 + ramp x (1 - exp(-(T - 1) / 12))) + per_token_ms x (cbrt(H^3 + T^3) - H), H hinge_tokens
    decode(n) = base(n) + per_sequence_ms x n          prefill(p) = base(p)          mixed(T) = mixed_factor x base(T)
    + kv_ms_per_1k_tokens x context / 1,000 + prefill pairs; request_overhead_ms before the queue

T are all tokens of the step. Well below the hinge a step is bound by reading the weights, well beyond it by arithmetic,
per_token_ms x (T - H), and about it by both. The ramp is a mixture of experts, of which a larger batch touches more.
Eight numbers, all above 0 and searched by their logarithms. The cost of a prefill's attention to its earlier chunks is
not fitted (few logs have prompts long enough): it follows from per_token_ms by the operations a pair takes beside those
of a token, 4 x hidden x layers to 2 x parameters, about 25 tokens a million pairs for models shaped as Llama 3.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from serving.batching import StepTimeModel

TOKENS_A_MILLION_PAIRS = 25.0
_RAMP_TOKENS = 12.0
_DENSE_RAMP, _MOE_RAMP = 0.02, 1.5
_RAMP_KNOTS = (1, 2, 4, 8, 16, 32, 64)
_BEND = (0.35, 0.7, 1.0, 1.4, 2.0, 4.0)
_SHARPNESS = 3
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Parameters:
    """Values of the formula above."""

    base_ms: float
    ramp: float
    per_sequence_ms: float
    kv_ms_per_1k_tokens: float
    per_token_ms: float
    hinge_tokens: float
    mixed_factor: float
    request_overhead_ms: float

    @classmethod
    def from_logs(cls, point: NDArray[np.float64]) -> Parameters:
        return cls(*(math.exp(min(20.0, max(-20.0, float(value)))) for value in point))

    @property
    def logs(self) -> NDArray[np.float64]:
        return np.asarray(np.log(np.array(astuple(self))))

    def rounded(self) -> dict[str, float]:
        return {field.name: round(getattr(self, field.name), _DIGITS) for field in fields(self)}

    def model(self, *, max_num_seqs: int, max_num_batched_tokens: int) -> StepTimeModel:
        """The curves up to these limits, in rounded figures: what is written to a file is what was tested."""
        bend = {max(1, round(self.hinge_tokens * share)) for share in _BEND}
        tokens = _below({*_RAMP_KNOTS, *bend}, max(max_num_batched_tokens, 128))
        seqs = _below({*_RAMP_KNOTS, *bend}, max(max_num_seqs, 128))
        return StepTimeModel.from_tables(
            decode_ms={n: round(self._base_ms(n) + self.per_sequence_ms * n, _DIGITS) for n in seqs},
            prefill_ms={n: round(self._base_ms(n), _DIGITS) for n in tokens},
            mixed_ms={n: round(self.mixed_factor * self._base_ms(n), _DIGITS) for n in tokens},
            kv_ms_per_1k_tokens=round(self.kv_ms_per_1k_tokens, _DIGITS),
            prefill_ms_per_1m_pairs=round(self.per_token_ms * TOKENS_A_MILLION_PAIRS, _DIGITS),
            request_overhead_ms=round(self.request_overhead_ms, _DIGITS),
        )

    def _base_ms(self, tokens: int) -> float:
        ramp = 1 + self.ramp * (1 - math.exp(-(tokens - 1) / _RAMP_TOKENS))
        bound = math.pow(self.hinge_tokens**_SHARPNESS + tokens**_SHARPNESS, 1 / _SHARPNESS)
        return self.base_ms * ramp + self.per_token_ms * (bound - self.hinge_tokens)


def _below(knots: set[int], last: int) -> list[int]:
    return sorted({*(knot for knot in knots if knot < last), last})


SPREAD = Parameters(
    base_ms=1.0,
    ramp=1.5,
    per_sequence_ms=1.2,
    kv_ms_per_1k_tokens=1.0,
    per_token_ms=1.0,
    hinge_tokens=0.7,
    mixed_factor=0.15,
    request_overhead_ms=1.2,
)
"""How far, in natural logarithms, each may well lie from where the search starts, where what no log tells stays."""

FIRST_STEPS = Parameters(
    base_ms=0.1,
    ramp=0.8,
    per_sequence_ms=0.4,
    kv_ms_per_1k_tokens=0.3,
    per_token_ms=0.15,
    hinge_tokens=0.3,
    mixed_factor=0.1,
    request_overhead_ms=0.4,
)


def start_from(base_ms: float, per_token_ms: float, *, is_moe: bool = False) -> Parameters:
    """Where the search starts: the rest in the usual proportion to the time of a full batch's weights, `base_ms`."""
    ramp = _MOE_RAMP if is_moe else _DENSE_RAMP
    return Parameters(
        base_ms=base_ms / (1 + ramp),
        ramp=ramp,
        per_sequence_ms=0.003 * base_ms,
        kv_ms_per_1k_tokens=0.005 * base_ms,
        per_token_ms=per_token_ms,
        hinge_tokens=min(1024.0, max(32.0, 0.8 * base_ms / per_token_ms)),
        mixed_factor=1.0,
        request_overhead_ms=max(2.0, 0.5 * base_ms),
    )

"""How busy GPU time divides: among good, late, failed and repeated work, and between prompts and generation.

A generated token costs more GPU time than a prompt's. Where the engines say how long requests spent in prefill and in
decode, that is the ratio (OpenCost's `compute_time`); else a generated token weighs 2.5 prompt tokens, OpenCost's
default (`multiplier`). Everything is a Fraction: shares of one busy time add up to it exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from sre.cost.work import Work

Method = Literal["compute_time", "multiplier"]
MULTIPLIER = Fraction(5, 2)
_NOTHING = Fraction(0)


@dataclass(frozen=True, slots=True)
class Shares:
    """Parts of the busy time. `good + late + failed + recomputed == 1`, and `prompt + generation == 1`.

    Prompts go with what was generated from them: a request's prompt is as wasted as its answer. `recomputed` is the
    prefill that a change of replica made necessary a second time; it belongs to `prompt`.
    """

    good: Fraction
    late: Fraction
    failed: Fraction
    recomputed: Fraction
    prompt: Fraction
    generation: Fraction
    method: Method


def shares_of(work: Work) -> Shares | None:
    """None when nobody counted the tokens. Time in which nothing was generated was all for requests that failed."""
    if work.prompt_tokens is None or work.generation_tokens is None or work.wasted_tokens is None:
        return None
    weight, method = _generation_weight(work)
    replayed = Fraction(work.replayed_tokens or 0)
    prompts = Fraction(work.prompt_tokens)
    generated = weight * work.generation_tokens
    total = prompts + replayed + generated
    if total == 0:
        return Shares(_NOTHING, _NOTHING, Fraction(1), _NOTHING, Fraction(1), _NOTHING, method)
    recomputed = replayed / total
    good, late, failed = _by_outcome(work)
    delivered = 1 - recomputed
    return Shares(
        good=delivered * good,
        late=delivered * late,
        failed=delivered * failed,
        recomputed=recomputed,
        prompt=(prompts + replayed) / total,
        generation=generated / total,
        method=method,
    )


def _by_outcome(work: Work) -> tuple[Fraction, Fraction, Fraction]:
    """Good, late and failed shares of what was generated. A request's tokens count as good or failed at its end, so
    the two may exceed what was generated inside the interval."""
    generated, failed = work.generation_tokens or 0, work.wasted_tokens or 0
    good = work.good_tokens if work.good_tokens is not None else max(0, generated - failed)
    whole = max(generated, good + failed)
    if whole == 0:
        return _NOTHING, _NOTHING, Fraction(1)
    return Fraction(good, whole), Fraction(whole - good - failed, whole), Fraction(failed, whole)


def _generation_weight(work: Work) -> tuple[Fraction, Method]:
    """What a generated token weighs when a prompt token weighs 1."""
    if work.prefill_s and work.decode_s and work.prompt_tokens and work.generation_tokens:
        per_prompt = Fraction(work.prefill_s) / work.prompt_tokens
        return Fraction(work.decode_s) / work.generation_tokens / per_prompt, "compute_time"
    return MULTIPLIER, "multiplier"

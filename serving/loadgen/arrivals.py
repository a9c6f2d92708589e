"""When requests arrive and how long they are: seeded draws, and the rescaling of a trace's times. Pure.

The standard library's generator is used because its sequences are stable over versions; each quantity has a stream of
its own, so that another rate leaves the lengths as they were.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from serving.loadgen.plan import LengthPlan

_METRONOME_CV = 1e-3  # below it the gaps differ by less than a sleep does, and the gamma law's shape overflows


def gamma_arrivals(*, rate_rps: float, cv: float, duration_s: float, seed: int) -> tuple[float, ...]:
    """Arrival times in [0, duration_s): gamma gaps of mean 1/rate and coefficient of variation `cv`.

    cv 1 is Poisson, below 1 is smoother, 0 is a metronome, above 1 is bursty (vLLM's `--burstiness` is 1/cv^2).
    """
    rng = random.Random(f"{seed}/arrivals")  # noqa: S311  (a workload, not a secret)
    times: list[float] = []
    at = _gap(rng, rate_rps, cv)
    while at < duration_s:
        times.append(at)
        at += _gap(rng, rate_rps, cv)
    return tuple(times)


def _gap(rng: random.Random, rate_rps: float, cv: float) -> float:
    return rng.gammavariate(1.0 / cv**2, cv**2 / rate_rps) if cv > _METRONOME_CV else 1.0 / rate_rps


@dataclass(frozen=True, slots=True)
class Lengths:
    """Token counts, and how many of them were drawn outside [min, max] and clipped."""

    tokens: tuple[int, ...]
    clipped: int


def lognormal_lengths(plan: LengthPlan, *, n: int, seed: int, stream: str) -> Lengths:
    """`n` lengths; `stream` separates the draws of prompts from those of outputs."""
    rng = random.Random(f"{seed}/{stream}")  # noqa: S311
    drawn = [round(plan.median * math.exp(plan.sigma * rng.gauss(0.0, 1.0))) for _ in range(n)]
    clipped = sum(not plan.min <= value <= plan.max for value in drawn)
    return Lengths(tuple(min(max(value, plan.min), plan.max) for value in drawn), clipped)


def prefix_choices(*, pool: int, skew: float, n: int, seed: int) -> tuple[int, ...]:
    """Which of `pool` shared texts each of `n` requests begins with: the k-th with weight k^-`skew`, k from 1."""
    rng = random.Random(f"{seed}/prefix")  # noqa: S311
    return tuple(rng.choices(range(pool), weights=[rank**-skew for rank in range(1, pool + 1)], k=n))


def rescale(times: Sequence[float], *, rate_rps: float, n: int) -> tuple[float, ...]:
    """The first `n` of `times` (from 0, sorted), stretched to a mean rate of exactly `rate_rps`; the shape is kept.

    The rate is counted as gaps over time: with an arrival after the n-th, n gaps fill n/rate_rps seconds. ValueError
    when all arrivals used fall on one instant, which no stretching gives a rate.
    """
    gaps = min(n, len(times) - 1)
    if gaps == 0:
        return tuple(times[:n])
    if times[gaps] <= 0:
        raise ValueError(f"the first {gaps + 1} rows all have the same timestamp")
    factor = gaps / rate_rps / times[gaps]
    return tuple(at * factor for at in times[:n])

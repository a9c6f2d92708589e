"""What is offered to the simulated fleet: a generated day with a burst, or a trace thickened to a higher rate."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from serving.errors import BadInput
from serving.loadgen.arrivals import lognormal_lengths
from serving.loadgen.plan import LengthPlan
from serving.simulator.columns import Workload
from serving.simulator.model import NS
from serving.simulator.trace_workload import trace_traffic

MAX_REQUESTS = 2_000_000
_LOW_SHARE = 0.25
_BURSTS = (0.18, 0.40, 0.62, 0.84)
_BURST_FACTOR, _BURST_EDGE, _BURST_TOP = 1.8, 0.01, 0.04
PROMPTS = LengthPlan(median=400, sigma=0.7, min=16, max=2048)
OUTPUTS = LengthPlan(median=220, sigma=0.4, min=16, max=512)


class Arrival(NamedTuple):
    """One request to serve, `at_ns` after the start."""

    at_ns: int
    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """Arrivals in order of time; `title` says what they are."""

    title: str
    duration_s: float
    arrivals: tuple[Arrival, ...]

    @property
    def workload(self) -> Workload:
        """The same as columns: one class, one priority, nothing shared."""
        return workload_of(self.title, self.arrivals)

    @property
    def mean_rps(self) -> float:
        return len(self.arrivals) / self.duration_s

    def peak_rps(self, window_s: float = 60.0) -> float:
        """The highest mean rate of any whole window from the start."""
        counts: dict[int, int] = {}
        for arrival in self.arrivals:
            index = int(arrival.at_ns / NS / window_s)
            counts[index] = counts.get(index, 0) + 1
        return max(counts.values(), default=0) / min(window_s, self.duration_s)


def workload_of(title: str, arrivals: Sequence[Arrival]) -> Workload:
    """Arrivals in order of time as columns."""
    rows = np.array(arrivals, np.int64).reshape(len(arrivals), 3)
    nothing = np.zeros(len(arrivals), np.int16)
    return Workload(
        title, rows[:, 0].copy(), rows[:, 1].astype(np.int32), rows[:, 2].astype(np.int32), nothing, nothing
    )


def generated(*, rate_rps: float, duration_s: float, seed: int) -> Traffic:
    """A compressed day: Poisson arrivals, the rate rising from a quarter of its top and falling back, with four bursts.

    `rate_rps` is the mean. A burst multiplies the rate by 1.8 for 4 % of the time, and takes 1 % to come and to go: in
    an hour, 36 s, less than any cold start. Lengths are the load generator's.
    """
    top = rate_rps / _mean_of_day()
    _require_size(rate_rps * duration_s)
    rng = random.Random(f"{seed}/day")  # noqa: S311  (a workload, not a secret)
    highest = top * _BURST_FACTOR
    times: list[float] = []
    at = rng.expovariate(highest)
    while at < duration_s:
        if rng.random() * highest < top * _shape(at / duration_s):
            times.append(at)
        at += rng.expovariate(highest)
    prompts = lognormal_lengths(PROMPTS, n=len(times), seed=seed, stream="prompt").tokens
    outputs = lognormal_lengths(OUTPUTS, n=len(times), seed=seed, stream="output").tokens
    arrivals = tuple(Arrival(round(t * NS), p, o) for t, p, o in zip(times, prompts, outputs, strict=True))
    title = f"generated day with four bursts, mean {rate_rps:g} requests/s, seed {seed}"
    return Traffic(title, duration_s, arrivals)


def _shape(share: float) -> float:
    """Rate over the top of the day without bursts, at a share of the day."""
    day = _LOW_SHARE + (1 - _LOW_SHARE) * math.sin(math.pi * share) ** 2
    return day * (1 + (_BURST_FACTOR - 1) * max(_in_burst(share - begin) for begin in _BURSTS))


def _in_burst(since: float) -> float:
    """0 outside a burst, 1 at its top, in between on its edges."""
    until = 2 * _BURST_EDGE + _BURST_TOP - since
    return min(1.0, max(0.0, min(since, until) / _BURST_EDGE))


def _mean_of_day(parts: int = 10_000) -> float:
    return sum(_shape((part + 0.5) / parts) for part in range(parts)) / parts


def thickened(
    path: Path, *, rate_rps: float | None, duration_s: float | None, seed: int, skip_bad_rows: bool = False
) -> Traffic:
    """A trace on its own clock, each request repeated until the mean rate is `rate_rps` (absent: as it is).

    The load generator squeezes a trace to raise its rate; an hour squeezed into six minutes leaves an autoscaler no
    time to act. Here more users with the same habits come (`trace_workload`): bursts keep their shape and length.
    """
    read = trace_traffic(path, rate_rps=rate_rps, duration_s=duration_s, seed=seed, skip_bad_rows=skip_bad_rows)
    arrivals = tuple(Arrival(round(row.at_s * NS), row.prompt_tokens, row.output_tokens) for row in read.rows)
    title = f"{read.title}, bad rows left out: {read.skipped:,}" if read.skipped else read.title
    return Traffic(title, read.duration_s, arrivals)


def _require_size(requests: float) -> None:
    if requests > MAX_REQUESTS:
        raise BadInput(f"{requests:,.0f} requests are too many to simulate: lower --rate or --duration")

"""What a run was worth: the share of good requests, percentiles of the first token, and what was paid for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from serving.simulator.model import FleetRun, Served


@dataclass(frozen=True, slots=True)
class Score:
    """A request is good when it was served, its first token came within the threshold and its mean gap too.

    Percentiles are over requests that got a first token, None when none did. `replica_s` are billed replica-seconds,
    cold starts included; `starting_s` the part that served nothing yet.
    """

    requests: int
    good: int
    rejected: int
    attainment: float
    ttft_ok: float
    inter_token_ok: float
    ttft_p50_s: float | None
    ttft_p99_s: float | None
    good_tokens: int
    replica_s: float
    starting_s: float
    max_replicas: int
    scale_events: int
    max_queue: int
    preemptions: int


def score(run: FleetRun, *, ttft_s: float, inter_token_s: float) -> Score:
    """Judge `run` by the goodput thresholds."""
    firsts = sorted(value for served in run.served if (value := served.ttft_s) is not None)
    good = [served for served in run.served if is_good(served, ttft_s=ttft_s, inter_token_s=inter_token_s)]
    total = len(run.served)
    return Score(
        requests=total,
        good=len(good),
        rejected=sum(served.rejected for served in run.served),
        attainment=len(good) / total if total else 1.0,
        ttft_ok=sum(value <= ttft_s for value in firsts) / total if total else 1.0,
        inter_token_ok=sum(_gap_ok(served, inter_token_s) for served in run.served) / total if total else 1.0,
        ttft_p50_s=quantile(firsts, 0.5),
        ttft_p99_s=quantile(firsts, 0.99),
        good_tokens=sum(served.arrival.output_tokens for served in good),
        replica_s=sum((life.end_s or run.duration_s) - life.start_s for life in run.lives),
        starting_s=sum(max(0.0, min(life.ready_s, life.end_s or run.duration_s) - life.start_s) for life in run.lives),
        max_replicas=max((moment.ready + moment.starting for moment in run.moments), default=0),
        scale_events=run.scale_events,
        max_queue=run.max_queue,
        preemptions=run.preemptions,
    )


def is_good(served: Served, *, ttft_s: float, inter_token_s: float) -> bool:
    first = served.ttft_s
    return served.done_ns is not None and first is not None and first <= ttft_s and _gap_ok(served, inter_token_s)


def _gap_ok(served: Served, inter_token_s: float) -> bool:
    gap = served.inter_token_s
    return served.done_ns is not None and (gap is None or gap <= inter_token_s)


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of `ordered` do not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None

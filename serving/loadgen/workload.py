"""`workload.json`: what was offered, in numbers for programs and in `lines` for a reader."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from serving.errors import BadInput
from serving.loadgen.model import RequestRecord, Schedule
from serving.loadgen.plan import LengthPlan, Plan
from serving.loadgen.traces import MOONCAKE_BLOCK_TOKENS

FILE_NAME = "workload.json"
LAG_LIMIT_MS = 50.0


@dataclass(frozen=True, slots=True)
class Percentiles:
    p50: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the run itself showed. `cpu_s` is this process's time over `wall_s`, the price of generating the load."""

    sent: int
    observed_rps: float | None
    lag_ms: Percentiles | None
    lag_high: bool
    outcomes: dict[str, int]
    received_tokens: int
    wall_s: float
    cpu_s: float
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Workload:
    """`cv` is that of the offered gaps, measured; None below three requests and in a closed loop, where `concurrency`
    is set and `rate_rps` 0. Lengths are in tokens.
    """

    schema: int
    source: str
    url: str
    model: str
    seed: int
    rate_rps: float
    concurrency: int | None
    duration_s: float
    n: int
    cv: float | None
    prompt_tokens: Percentiles
    output_tokens: Percentiles
    capped_prompts: int
    capped_outputs: int
    clipped_prompts: int
    clipped_outputs: int
    observed_rps: float | None
    lag_ms: Percentiles | None
    run: RunFacts | None
    lines: tuple[tuple[str, str], ...]


def percentiles(values: Sequence[float]) -> Percentiles:
    """Nearest-rank percentiles of at least one value: each is a value that occurred."""
    ordered = sorted(values)

    def rank(q: float) -> float:
        return ordered[max(0, math.ceil(q * len(ordered)) - 1)]

    return Percentiles(rank(0.50), rank(0.95), rank(0.99), ordered[-1])


def gap_cv(offsets_s: Sequence[float]) -> float | None:
    """Coefficient of variation of the gaps between successive arrivals; None when there are fewer than two gaps."""
    gaps = [after - before for before, after in pairwise(offsets_s)]
    mean = sum(gaps) / len(gaps) if gaps else 0.0
    if len(gaps) < 2 or mean == 0.0:
        return None
    return math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) / mean


def run_facts(records: Sequence[RequestRecord], *, wall_s: float, cpu_s: float, interrupted: bool) -> RunFacts:
    """Sums up the records of a run that has ended."""
    lag_ms = percentiles([1000.0 * (r.sent_at - r.scheduled_at) for r in records]) if records else None
    outcomes: dict[str, int] = {}
    for record in records:
        outcomes[record.outcome] = outcomes.get(record.outcome, 0) + 1
    return RunFacts(
        sent=len(records),
        observed_rps=_observed_rps(records),
        lag_ms=lag_ms,
        lag_high=lag_ms is not None and lag_ms.p99 > LAG_LIMIT_MS,
        outcomes=dict(sorted(outcomes.items())),
        received_tokens=sum(record.output_tokens for record in records),
        wall_s=wall_s,
        cpu_s=cpu_s,
        interrupted=interrupted,
    )


def _observed_rps(records: Sequence[RequestRecord]) -> float | None:
    """Gaps over time between the first and the last request sent; None when that says nothing."""
    times = sorted(record.sent_at for record in records)
    span_s = times[-1] - times[0] if times else 0.0
    return (len(times) - 1) / span_s if span_s > 0 else None


def describe(plan: Plan, schedule: Schedule, run: RunFacts | None = None) -> Workload:
    """The document; `run` is None while the load is still on its way."""
    prompts = percentiles([request.prompt_tokens for request in schedule.requests])
    outputs = percentiles([request.max_tokens for request in schedule.requests])
    cv = gap_cv([request.offset_s for request in schedule.requests])
    return Workload(
        schema=1,
        source=schedule.source,
        url=plan.url,
        model=plan.model,
        seed=plan.seed,
        rate_rps=schedule.rate_rps,
        concurrency=plan.concurrency,
        duration_s=plan.duration_s,
        n=len(schedule.requests),
        cv=cv,
        prompt_tokens=prompts,
        output_tokens=outputs,
        capped_prompts=schedule.capped_prompts,
        capped_outputs=schedule.capped_outputs,
        clipped_prompts=schedule.clipped_prompts,
        clipped_outputs=schedule.clipped_outputs,
        observed_rps=run.observed_rps if run else None,
        lag_ms=run.lag_ms if run else None,
        run=run,
        lines=(*_offered_lines(plan, schedule, cv), *_length_lines(plan, schedule, prompts, outputs), *_run_lines(run)),
    )


def _offered_lines(plan: Plan, schedule: Schedule, cv: float | None) -> list[tuple[str, str]]:
    if plan.concurrency is not None:
        return [
            ("source", f"{schedule.source}, closed loop"),
            ("seed", str(plan.seed)),
            ("concurrency", f"{plan.concurrency} clients, each sending its next request when its last one ended"),
            ("requests", f"{len(schedule.requests)}, none sent after {plan.duration_s:g} s"),
        ]
    burst = "n/a (fewer than three requests)" if cv is None else f"{cv:.2f}"
    asked = "" if plan.trace else f" (asked for {plan.cv:g}; 1 is Poisson)"
    last_s = schedule.requests[-1].offset_s
    return [
        ("source", f"{schedule.source}, open loop"),
        ("seed", str(plan.seed)),
        ("offered rate", f"{schedule.rate_rps:.2f} requests/s, {_rate_origin(plan)}"),
        ("requests", f"{len(schedule.requests)}, the last {last_s:.1f} s after the start (of {plan.duration_s:g} s)"),
        ("burstiness", f"coefficient of variation of the gaps {burst}{asked}"),
    ]


def _rate_origin(plan: Plan) -> str:
    if plan.trace is None:
        return "gamma gaps"
    return "the trace's own" if plan.rate_rps is None else "the trace's times rescaled, shape kept"


def _length_lines(plan: Plan, schedule: Schedule, prompts: Percentiles, outputs: Percentiles) -> list[tuple[str, str]]:
    generated = plan.trace is None
    return [
        ("prompt length", _lengths(prompts, plan.prompt_tokens if generated else None, schedule.clipped_prompts)),
        *_prefix_lines(plan),
        ("output length", _lengths(outputs, plan.output_tokens if generated else None, schedule.clipped_outputs)),
        ("prompt cap", _cap(plan.max_prompt_tokens, schedule.capped_prompts)),
        ("output cap", _cap(plan.max_output_tokens, schedule.capped_outputs)),
        ("end of a request", f"exact length (ignore_eos), given up after {plan.timeout_s:g} s"),
    ]


def _prefix_lines(plan: Plan) -> list[tuple[str, str]]:
    if plan.prefixes is None:
        return []
    pool, tokens = plan.prefixes.pool, plan.prefixes.blocks * MOONCAKE_BLOCK_TOKENS
    return [("shared prefix", f"one of {pool} texts of {tokens} tokens before it, skew {plan.prefixes.skew:g}")]


def _lengths(found: Percentiles, drawn: LengthPlan | None, clipped: int) -> str:
    text = f"p50 {found.p50:.0f}, p95 {found.p95:.0f}, max {found.max:.0f} tokens"
    if drawn is None:
        return text
    law = f"log-normal, median {drawn.median:g}, sigma {drawn.sigma:g}, {drawn.min} to {drawn.max}"
    return f"{text} ({law}; {clipped} clipped)"


def _cap(cap: int | None, requests: int) -> str:
    return "none" if cap is None else f"{cap} tokens, shortened {requests} requests"


def _run_lines(run: RunFacts | None) -> list[tuple[str, str]]:
    if run is None:
        return []
    rate = "n/a" if run.observed_rps is None else f"{run.observed_rps:.2f} requests/s"
    outcomes = ", ".join(f"{count} {name}" for name, count in run.outcomes.items()) or "none"
    share = 100.0 * run.cpu_s / run.wall_s if run.wall_s > 0 else 0.0
    tokens_per_s = run.received_tokens / run.wall_s if run.wall_s > 0 else 0.0
    return [
        ("observed rate", rate),
        ("sent", f"{run.sent} requests: {outcomes}" + (" (stopped early)" if run.interrupted else "")),
        ("generator lag", _lag(run)),
        ("generator load", f"{share:.0f} % of one core at {tokens_per_s:.0f} tokens/s received"),
    ]


def _lag(run: RunFacts) -> str:
    if run.lag_ms is None:
        return "n/a (nothing sent)"
    text = f"p99 {run.lag_ms.p99:.1f} ms, max {run.lag_ms.max:.1f} ms"
    return f"{text}: over {LAG_LIMIT_MS:g} ms, so arrivals were not as offered" if run.lag_high else text


def write_workload(out: Path, workload: Workload) -> None:
    """`<out>/workload.json`, replaced in one step so that a reader never meets half of it."""
    part = out / f"{FILE_NAME}.part"
    try:
        part.write_text(json.dumps(asdict(workload), indent=1) + "\n", encoding="utf-8")
        part.replace(out / FILE_NAME)
    except OSError as error:
        raise BadInput(f"{out / FILE_NAME}: cannot write it: {error.strerror}") from error

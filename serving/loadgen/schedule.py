"""Turns a plan into the list of requests to send: drawn from the generator, or taken from a trace."""

from __future__ import annotations

import math
from dataclasses import dataclass

from serving.errors import BadInput
from serving.loadgen.arrivals import gamma_arrivals, lognormal_lengths, rescale
from serving.loadgen.model import PlannedRequest, Schedule, TraceRow
from serving.loadgen.plan import DEFAULT_RATE_RPS, Plan
from serving.loadgen.traces import MOONCAKE_BLOCK_TOKENS, read_trace


def build_schedule(plan: Plan) -> Schedule:
    """What `plan` offers. Reads the trace if there is one; raises BadInput when it is bad or nothing would be sent."""
    return _generated(plan) if plan.trace is None else _from_trace(plan)


def _generated(plan: Plan) -> Schedule:
    rate_rps = plan.rate_rps or DEFAULT_RATE_RPS
    times = gamma_arrivals(rate_rps=rate_rps, cv=plan.cv, duration_s=plan.duration_s, seed=plan.seed)
    if not times:
        raise BadInput(
            f"no request arrives within {plan.duration_s:g} s at {rate_rps:g} rps: raise duration_s or rate_rps"
        )
    prompts = lognormal_lengths(plan.prompt_tokens, n=len(times), seed=plan.seed, stream="prompt")
    outputs = lognormal_lengths(plan.output_tokens, n=len(times), seed=plan.seed, stream="output")
    rows = [TraceRow(at, p, o) for at, p, o in zip(times, prompts.tokens, outputs.tokens, strict=True)]
    capped = _capped(rows, plan)
    return Schedule(
        source="seeded generator",
        rate_rps=rate_rps,
        requests=capped.requests,
        capped_prompts=capped.prompts,
        capped_outputs=capped.outputs,
        clipped_prompts=prompts.clipped,
        clipped_outputs=outputs.clipped,
    )


def _from_trace(plan: Plan) -> Schedule:
    assert plan.trace is not None  # noqa: S101  (for the type checker; build_schedule asked)
    rows = _at_own_rate(plan) if plan.rate_rps is None else _at_rate(plan, plan.rate_rps)
    capped = _capped(rows, plan)
    return Schedule(
        source=f"trace {plan.trace.name}",
        rate_rps=plan.rate_rps or len(rows) / plan.duration_s,
        requests=capped.requests,
        capped_prompts=capped.prompts,
        capped_outputs=capped.outputs,
    )


def _at_own_rate(plan: Plan) -> list[TraceRow]:
    assert plan.trace is not None  # noqa: S101
    return list(read_trace(plan.trace, plan.trace_format, span_s=plan.duration_s))


def _at_rate(plan: Plan, rate_rps: float) -> list[TraceRow]:
    assert plan.trace is not None  # noqa: S101
    n = max(1, round(rate_rps * plan.duration_s))
    rows = read_trace(plan.trace, plan.trace_format, max_rows=n + 1)
    try:
        times = rescale([row.at_s for row in rows], rate_rps=rate_rps, n=n)
    except ValueError as error:
        raise BadInput(f"{plan.trace}: cannot be sent at {rate_rps:g} rps: {error}") from error
    return [
        TraceRow(at, row.prompt_tokens, row.output_tokens, row.hash_ids) for at, row in zip(times, rows, strict=False)
    ]


@dataclass(frozen=True, slots=True)
class _Capped:
    requests: tuple[PlannedRequest, ...]
    prompts: int
    outputs: int


def _capped(rows: list[TraceRow], plan: Plan) -> _Capped:
    prompt_cap = plan.max_prompt_tokens or math.inf
    output_cap = plan.max_output_tokens or math.inf
    requests = tuple(_request(index, row, prompt_cap, output_cap) for index, row in enumerate(rows))
    prompts = sum(row.prompt_tokens > prompt_cap for row in rows)
    return _Capped(requests, prompts, sum(row.output_tokens > output_cap for row in rows))


def _request(index: int, row: TraceRow, prompt_cap: float, output_cap: float) -> PlannedRequest:
    prompt_tokens = int(min(row.prompt_tokens, prompt_cap))
    blocks = math.ceil(prompt_tokens / MOONCAKE_BLOCK_TOKENS)
    return PlannedRequest(
        index, row.at_s, prompt_tokens, int(min(row.output_tokens, output_cap)), row.hash_ids[:blocks]
    )

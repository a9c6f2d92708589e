"""Turns a plan into the list of requests to send: drawn from the generator, or taken from a trace."""

from __future__ import annotations

import itertools
import math
import zlib
from dataclasses import dataclass

from serving.errors import BadInput
from serving.loadgen.arrivals import gamma_arrivals, lognormal_lengths, prefix_choices, rescale
from serving.loadgen.model import PlannedRequest, Schedule, TraceRow
from serving.loadgen.plan import DEFAULT_RATE_RPS, Plan, PrefixPlan
from serving.loadgen.traces import MOONCAKE_BLOCK_TOKENS, read_trace


def build_schedule(plan: Plan) -> Schedule:
    """What `plan` offers. Reads the trace if there is one; raises BadInput when it is bad or nothing would be sent."""
    return _generated(plan) if plan.trace is None else _from_trace(plan)


def _generated(plan: Plan) -> Schedule:
    times = _times(plan)
    prompts = lognormal_lengths(plan.prompt_tokens, n=len(times), seed=plan.seed, stream="prompt")
    outputs = lognormal_lengths(plan.output_tokens, n=len(times), seed=plan.seed, stream="output")
    rows = [TraceRow(at, p, o) for at, p, o in zip(times, prompts.tokens, outputs.tokens, strict=True)]
    if plan.prefixes is not None:
        rows = _behind_prefixes(rows, plan.prefixes, plan.seed)
    capped = _capped(rows, plan)
    return Schedule(
        source="seeded generator",
        rate_rps=0.0 if plan.concurrency else plan.rate_rps or DEFAULT_RATE_RPS,
        requests=capped.requests,
        capped_prompts=capped.prompts,
        capped_outputs=capped.outputs,
        clipped_prompts=prompts.clipped,
        clipped_outputs=outputs.clipped,
    )


def _times(plan: Plan) -> tuple[float, ...]:
    """When requests leave; all 0 in a closed loop, where each leaves when a client is free."""
    if plan.concurrency is not None and plan.requests is not None:
        return (0.0,) * plan.requests
    rate_rps = plan.rate_rps or DEFAULT_RATE_RPS
    times = gamma_arrivals(rate_rps=rate_rps, cv=plan.cv, duration_s=plan.duration_s, seed=plan.seed)
    if not times:
        raise BadInput(
            f"no request arrives within {plan.duration_s:g} s at {rate_rps:g} rps: raise duration_s or rate_rps"
        )
    return times[: plan.requests]


def _behind_prefixes(rows: list[TraceRow], prefixes: PrefixPlan, seed: int) -> list[TraceRow]:
    """The same requests, each behind a shared text. Blocks of shared texts are named -1, -2 ... with every seed; those
    of a request's own text are of the seed too, so that a second run finds nothing of the first one's but the shared.
    """
    chosen = prefix_choices(pool=prefixes.pool, skew=prefixes.skew, n=len(rows), seed=seed)
    shared_tokens = prefixes.blocks * MOONCAKE_BLOCK_TOKENS
    own_names = itertools.count(zlib.crc32(f"{seed}".encode()) << 32)
    found = []
    for row, which in zip(rows, chosen, strict=True):
        shared = tuple(-1 - which * prefixes.blocks - block for block in range(prefixes.blocks))
        own = tuple(itertools.islice(own_names, math.ceil(row.prompt_tokens / MOONCAKE_BLOCK_TOKENS)))
        found.append(TraceRow(row.at_s, shared_tokens + row.prompt_tokens, row.output_tokens, shared + own))
    return found


def _from_trace(plan: Plan) -> Schedule:
    assert plan.trace is not None  # noqa: S101  (for the type checker; build_schedule asked)
    rows = _at_own_rate(plan) if plan.rate_rps is None else _at_rate(plan, plan.rate_rps)
    capped = _capped(rows[: plan.requests], plan)
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

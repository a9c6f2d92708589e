"""Runs of an engine that never was: the scheduler with a step time of the test's own, stamped as vLLM stamps a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from serving.batching import Request, Scheduler, SchedulerConfig, StepPlan

StepMs = Callable[[StepPlan], float]
WALL_CLOCK_S, MONOTONIC_S = 1_787_000_000.0, 27_000.0


@dataclass
class Stamps:
    """What vLLM writes of one request."""

    arrival: float
    prompt: int
    output: int
    queued: float = -1.0
    scheduled: float = -1.0
    first: float = -1.0
    last: float = -1.0


@dataclass
class Traffic:
    """Poisson arrivals, lengths log-normal around a median."""

    requests: int = 300
    rate_rps: float = 10.0
    prompt_median: int = 700
    output_median: int = 250
    longest: int = 4000
    seed: int = 7

    def stamps(self) -> list[Stamps]:
        rng, now, found = Random(self.seed), 0.0, []
        for _ in range(self.requests):
            now += rng.expovariate(self.rate_rps)
            found.append(Stamps(now, self._length(rng, self.prompt_median), self._length(rng, self.output_median)))
        return found

    def _length(self, rng: Random, median: int) -> int:
        return max(4, min(self.longest, round(median * rng.lognormvariate(0, 0.6))))


@dataclass
class Hardware:
    """`step_ms` is what the fit has to find. `plans_ahead`: a request joins the step after the next, as with vLLM's
    asynchronous scheduling; `noise` is the spread of a step's time, `front_ms` passes before a request is queued.
    """

    step_ms: StepMs
    scheduler: SchedulerConfig = field(default_factory=lambda: SchedulerConfig(kv_blocks=20_000))
    plans_ahead: bool = True
    noise: float = 0.03
    front_ms: float = 1.5
    name: str = "NVIDIA H100 80GB HBM3"
    model: str = "meta-llama/Llama-3.1-70B"
    tensor_parallel: int = 4
    memory_bytes: int = 85_000_000_000


def serve(hardware: Hardware, traffic: Traffic) -> list[Stamps]:
    """Every request's stamps, seconds from the first arrival's clock."""
    rng, scheduler = Random(traffic.seed + 1), Scheduler(hardware.scheduler)
    offered = traffic.stamps()
    coming, ahead, now = list(range(len(offered))), list[int](), 0.0
    while coming or ahead or scheduler.has_work:
        seen = [number for number in coming if offered[number].arrival + hardware.front_ms / 1000 <= now]
        coming = coming[len(seen) :]
        for number in seen:
            offered[number].queued = now
        waits = hardware.plans_ahead and scheduler.has_work
        for number in ahead + ([] if waits else seen):
            one, size = offered[number], hardware.scheduler.block_size_tokens
            hashes = tuple(number * 100_000 + block for block in range((one.prompt + one.output) // size))
            scheduler.add(Request(str(number), one.prompt, one.output, block_hashes=hashes))
        ahead = seen if waits else []
        plan = scheduler.plan()
        if plan.is_empty:
            if coming and not ahead:
                now = max(now, offered[coming[0]].arrival + hardware.front_ms / 1000)
            continue
        for request in plan.admitted:
            if offered[int(request)].scheduled < 0:
                offered[int(request)].scheduled = now
        now += hardware.step_ms(plan) / 1000 * rng.lognormvariate(0, hardware.noise)
        for emission in scheduler.complete(plan).emitted:
            one = offered[int(emission.request_id)]
            one.first = now if emission.position == 0 else one.first
            one.last = now
    return offered


def write_run(folder: Path, hardware: Hardware, traffic: Traffic) -> Path:
    """The two files of a run; the path of its log."""
    log = folder / "made_up_requests.jsonl"
    rows = [_row(number, one) for number, one in enumerate(serve(hardware, traffic))]
    log.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    (folder / "made_up_meta.json").write_text(json.dumps(_meta(hardware)), encoding="utf-8")
    return log


def _row(number: int, one: Stamps) -> dict[str, Any]:
    return {
        "request_id": f"bench-{number}",
        "input_toks": one.prompt,
        "output_toks": one.output,
        "arrival_time": WALL_CLOCK_S + one.arrival,
        "queued_ts": MONOTONIC_S + one.queued,
        "scheduled_ts": MONOTONIC_S + one.scheduled,
        "first_token_ts": MONOTONIC_S + one.first,
        "last_token_ts": MONOTONIC_S + one.last,
    }


def _meta(hardware: Hardware) -> dict[str, Any]:
    limits = hardware.scheduler
    return {
        "model": hardware.model,
        "vllm_version": "0.19.0",
        "engine_kwargs": {
            "tensor_parallel_size": hardware.tensor_parallel,
            "max_num_seqs": limits.max_num_seqs,
            "max_num_batched_tokens": limits.max_num_batched_tokens,
            "max_model_len": limits.max_model_len,
            "dtype": "bfloat16",
        },
        "kv_cache": {
            "num_gpu_blocks": limits.kv_blocks,
            "block_size": limits.block_size_tokens,
            "gpu_memory_utilization": 0.9,
            "enable_prefix_caching": limits.enable_prefix_caching,
        },
        "hardware": {"device_name": hardware.name, "device_total_memory_bytes": hardware.memory_bytes},
    }

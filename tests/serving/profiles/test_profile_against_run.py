"""The one profile that is calibrated, against the run it was calibrated on (public data, not in the repository)."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest

from serving.batching import Request, Scheduler
from serving.profiles import load

RUN = Path(os.environ.get("SRE_PUBLIC_DATA", "/absent")) / "vllm_runs" / "RTX4090_Llama-3.1-8B_vllm_requests.jsonl"


@dataclass
class Served:
    arrival_s: float
    output_tokens: int
    first_s: float
    last_s: float

    @property
    def per_token_ms(self) -> float:
        return (self.last_s - self.first_s) / (self.output_tokens - 1) * 1000


def measured() -> dict[str, tuple[int, Served]]:
    """Prompt tokens and times of each request. The engine's clock has another zero than that of the arrivals."""
    rows = [json.loads(line) for line in RUN.read_text(encoding="utf-8").splitlines()]
    start = min(row["arrival_time"] for row in rows)
    offset = min(row["queued_ts"] - row["arrival_time"] for row in rows) + start
    return {
        row["request_id"]: (
            row["input_toks"],
            Served(
                arrival_s=row["arrival_time"] - start,
                output_tokens=row["output_toks"],
                first_s=row["first_token_ts"] - offset,
                last_s=row["last_token_ts"] - offset,
            ),
        )
        for row in rows
    }


def replayed(run: dict[str, tuple[int, Served]]) -> dict[str, Served]:
    """The same requests at the same times through our scheduler, with the prefix cache that the run had."""
    profile = load("rtx4090-llama3.1-8b")
    scheduler, now_s = Scheduler(profile.scheduler), 0.0
    queue = sorted(run, key=lambda name: run[name][1].arrival_s)
    served: dict[str, Served] = {}
    while queue or scheduler.has_work:
        while queue and run[queue[0]][1].arrival_s <= now_s:
            name = queue.pop(0)
            prompt, real = run[name]
            hashes = tuple(hash((name, block)) for block in range((prompt + real.output_tokens) // 16))
            scheduler.add(Request(name, prompt, real.output_tokens, block_hashes=hashes))
        plan = scheduler.plan()
        if plan.is_empty:
            now_s = run[queue[0]][1].arrival_s
            continue
        now_s += profile.step_time.duration_s(plan)
        for emission in scheduler.complete(plan).emitted:
            real = run[emission.request_id][1]
            entry = served.setdefault(
                emission.request_id, Served(real.arrival_s, real.output_tokens, first_s=now_s, last_s=now_s)
            )
            entry.last_s = now_s
    return served


@pytest.mark.skipif(not RUN.is_file(), reason="the run is not there: set SRE_PUBLIC_DATA")
def test_the_replayed_run_has_the_real_one_s_length_and_latencies_within_a_tenth() -> None:
    run = measured()
    real = [entry for _, entry in run.values()]
    ours = list(replayed(run).values())
    assert max(s.last_s for s in ours) == pytest.approx(max(s.last_s for s in real), rel=0.1)
    assert median(s.per_token_ms for s in ours) == pytest.approx(median(s.per_token_ms for s in real), rel=0.1)
    assert median(s.first_s - s.arrival_s for s in ours) == pytest.approx(
        median(s.first_s - s.arrival_s for s in real), rel=0.1
    )

"""Real vLLM, where its environment is installed: one row, of the tiny model on the processor.

It says that the platform carries the real engine, and what gateway and Triton add to it; nothing about a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping

from sre.gameday.measure.bench import Bench
from sre.gameday.measure.runs import phases_of
from sre.platforms.local import PlatformSpec, platform_spec
from sre.platforms.local.work import open_offer, work_class
from sre.platforms.performance import Fleet, FleetRun, service_of

VLLM_CLASS, VLLM_RPS = "chat", 4.0
VLLM_PROMPT, VLLM_ANSWER = 256, 32
VLLM_START_S = 60.0
VLLM_WHAT = (
    f"real vLLM on the processor with a tiny random-weight model, one replica behind Triton and gateway; {VLLM_CLASS} "
    f"at {VLLM_RPS:g} requests/s, prompts cut at {VLLM_PROMPT} and answers at {VLLM_ANSWER} tokens"
)


def vllm_run(bench: Bench, *, requests: int, seed: int) -> FleetRun:
    """The class with its lengths cut to what the tiny model takes, in real time."""
    fleet = Fleet("vllm", 1)
    offer = open_offer(VLLM_CLASS, rate_rps=VLLM_RPS, requests=requests, seed=seed)
    with bench.on(_spec(bench)) as running:
        bench.pacing.step("load: vllm")
        answers = bench.offer(running, offer, "vllm", max_prompt_tokens=VLLM_PROMPT, max_output_tokens=VLLM_ANSWER)
    asked = work_class(VLLM_CLASS)
    service = service_of(answers, ttft_s=asked.ttft_s, inter_token_s=asked.inter_token_s)
    bench.pacing.note(f"vllm: {service.measured} measured, {service.good} good, {service.failed} failed")
    return FleetRun(fleet, service)


def vllm_phases(bench: Bench) -> Mapping[str, float]:
    """Seconds by phase of the start of one replica with the real engine."""
    with bench.on(_spec(bench)) as running:
        return phases_of(running)


def _spec(bench: Bench) -> PlatformSpec:
    return platform_spec(bench.state_dir, replicas=1, engine="vllm", port=0, prometheus="off")

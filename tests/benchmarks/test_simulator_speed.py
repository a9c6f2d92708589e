"""How fast a fleet is simulated: against `dynamo.replay` on the same trace, a CPU second's worth, and as fleets grow.

The peer is `ai-dynamo` from PyPI in an environment of its own (`make setup-bench`), in its offline mode, with our
profile's KV blocks, seats and token budget. Both serve each request of the trace whole; step-time models differ, which
changes times, not work. Of the peer its own account of the replay's wall time counts, and the CPU of its process less
that of a replay of one request; of us `run_fleet`, compiled core and event loop apart.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from serving.gateway.config import RoutingConfig
from serving.loadgen.traces import read_trace
from serving.profiles import load
from serving.simulator.columns import Workload
from serving.simulator.compiled import compiled
from serving.simulator.fleet import Fleet
from serving.simulator.kernel import can_play
from serving.simulator.scenario import GatewayRules, ReplicaGroup, Scenario

ROOT = Path(__file__).parents[2]
TRACE = Path(os.environ.get("SRE_PUBLIC_DATA", ROOT.parent / "shared" / "data")) / "traces" / "azure_conv.csv"
PEER = ROOT / ".venv-dynamo" / "bin" / "python"
PROFILE = "h100-llama3-8b-tp1"
ROUNDS = 5
RATE_RPS = 2.0  # a replica
pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not TRACE.exists(), reason="the Azure conversation trace is not here: set SRE_PUBLIC_DATA"),
]


@pytest.fixture(scope="module")
def trace() -> Workload:
    rows = read_trace(TRACE)
    return _workload(
        np.array([round(row.at_s * 1e9) for row in rows]),
        np.array([row.prompt_tokens for row in rows]),
        np.array([row.output_tokens for row in rows]),
    )


def _workload(at_ns, prompts, outputs):
    nothing = np.zeros(len(at_ns), np.int16)
    return Workload(
        TRACE.name, at_ns.astype(np.int64), prompts.astype(np.int32), outputs.astype(np.int32), nothing, nothing
    )


def _scenario(workload, replicas, balancing="least_outstanding"):
    profile = load(PROFILE)
    group = ReplicaGroup(
        "only",
        PROFILE,
        profile.gpu,
        1,
        profile.scheduler,
        profile.step_time,
        tuple(profile.cold_start_s.items()),
        replicas,
    )
    rules = GatewayRules(balancing=balancing, routing=RoutingConfig(affinity=False))
    return Scenario("speed", (group,), workload, float(workload.at_ns[-1] / 1e9) + 1.0, gateway=rules)


def _timed(run):
    """Wall and CPU seconds, and what it gave."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def _served(result):
    return int((result.outcomes.outcome == 0).sum())


@pytest.mark.skipif(not PEER.exists(), reason="ai-dynamo is not installed: `make setup-bench`")
@pytest.mark.parametrize("replicas", [1, 4])
def test_the_azure_trace_against_dynamo_replay(trace, replicas, tmp_path):
    scenario = _scenario(trace, replicas, "round_robin")
    compiled(scenario)  # whatever has to be compiled or loaded
    idle_cpu_s = median(_peer(trace, 1, tmp_path, requests=1)[1] for _ in range(3))
    seen = {"dynamo.replay": [], "compiled core": [], "event loop": []}
    for _ in range(ROUNDS):
        wall_s, cpu_s, served = _peer(trace, replicas, tmp_path)
        assert served == len(trace)
        seen["dynamo.replay"].append((wall_s, cpu_s - idle_cpu_s))
        for name, run in (("compiled core", compiled), ("event loop", lambda s: Fleet(s).run(None))):
            wall_s, cpu_s, result = _timed(lambda run=run: run(scenario))
            assert _served(result) == len(trace)
            seen[name].append((wall_s, cpu_s))
    print(f"\n{len(trace):,} requests, {replicas} replica(s), medians of {ROUNDS}")
    theirs = [median(column) for column in zip(*seen["dynamo.replay"], strict=True)]
    for name, times in seen.items():
        wall_s, cpu_s = (median(column) for column in zip(*times, strict=True))
        print(
            f"  {name:14} wall {wall_s:6.3f} s, CPU {cpu_s:6.3f} s, {len(trace) / cpu_s:9,.0f} requests a CPU second; "
            f"as fast as the peer {theirs[0] / wall_s:.1f} x by wall, {theirs[1] / cpu_s:.1f} x by CPU"
        )


def _peer(trace, replicas, folder, requests=None):
    """Wall seconds by its own account, CPU seconds of its process, requests completed."""
    scheduler = load(PROFILE).scheduler
    engine = {
        "num_gpu_blocks": scheduler.kv_blocks,
        "block_size": scheduler.block_size_tokens,
        "max_num_seqs": scheduler.max_num_seqs,
        "max_num_batched_tokens": scheduler.max_num_batched_tokens,
        "enable_prefix_caching": False,
    }
    rows = zip(trace.at_ns.tolist(), trace.prompt_tokens.tolist(), trace.output_tokens.tolist(), strict=True)
    lines, blocks = [], 0
    for at_ns, prompt, output in list(rows)[:requests]:
        count = -(-prompt // 512)
        hashes = list(range(blocks, blocks + count))
        blocks += count
        lines.append({"timestamp": at_ns / 1e6, "input_length": prompt, "output_length": output, "hash_ids": hashes})
    (folder / "trace.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [PEER, "-m", "dynamo.replay", "trace.jsonl", "--trace-format", "mooncake", "--report-json", "out.json"]
    command += ["--extra-engine-args", json.dumps(engine), "--num-workers", str(replicas)]
    subprocess.run([*command, "--router-mode", "round_robin"], cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = json.loads((folder / "out.json").read_text())
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return report["wall_time_ms"] / 1000, cpu_s, report["completed_requests"]


def _thick(trace, replicas, requests):
    """So many requests at `RATE_RPS` a replica, with lengths of the trace drawn anew."""
    rng = np.random.default_rng(1)
    at_ns = np.cumsum(rng.exponential(1e9 / (RATE_RPS * replicas), requests))
    rows = rng.integers(0, len(trace), requests)
    return _workload(at_ns, trace.prompt_tokens[rows], trace.output_tokens[rows])


@pytest.mark.parametrize("core", ["compiled core", "event loop"])
def test_the_cost_of_a_request_as_the_fleet_grows(trace, core):
    run = compiled if core == "compiled core" else lambda s: Fleet(s).run(None)
    if core == "compiled core" and (reason := can_play(_scenario(trace, 1))) is not None:
        pytest.skip(reason)
    print(f"\n{core}: {RATE_RPS:g} requests/s a replica, medians of 3")
    least = 200_000 if core == "compiled core" else 4_000
    run(_scenario(trace, 1))
    for replicas in (1, 10, 100, 1000):
        scenario = _scenario(_thick(trace, replicas, max(least, 40 * replicas)), replicas)
        times = [_timed(lambda scenario=scenario: run(scenario)) for _ in range(3)]
        assert all(_served(result) == len(scenario.workload) for *_, result in times)
        cpu_s = median(cpu for _, cpu, _ in times)
        count = len(scenario.workload)
        print(f"  {replicas:5} replicas {cpu_s / count * 1e6:7.2f} us of CPU a request, {count / cpu_s:9,.0f} a second")


@pytest.mark.skipif(not os.environ.get("SRE_TEN_MILLION"), reason="takes minutes: set SRE_TEN_MILLION=1")
def test_ten_million_requests_on_a_thousand_replicas(trace):
    scenario = _scenario(_thick(trace, 1000, 10_000_000), 1000)
    if (reason := can_play(scenario)) is not None:
        pytest.skip(reason)
    wall_s, cpu_s, result = _timed(lambda: compiled(scenario))
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
    print(f"\n10,000,000 requests, 1,000 replicas: wall {wall_s:.0f} s, CPU {cpu_s:.0f} s, peak {peak_gb:.2f} GB")
    assert _served(result) == 10_000_000
    assert wall_s < 15 * 60
    assert peak_gb < 8

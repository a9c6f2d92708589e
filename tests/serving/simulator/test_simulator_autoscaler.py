"""The same policy decides the same in the simulator and in the live loop, when both see the same series."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.autoscale import Autoscaler, Decision, Pod, Policy, Sample, Snapshot, load_policy, shipped_policies
from serving.autoscale.config import AutoscaleConfig
from serving.autoscale.loop import Loop
from serving.autoscale.scrape import Row, parse_page
from serving.autoscale.signals import GPU_UTILIZATION, Unavailable
from serving.autoscale.supervisor import Endpoint, FleetState, ReplicaEntry
from serving.gateway.config import AdmissionConfig
from serving.simulator import FleetFault, GatewayRules, Scenario, Workload
from serving.simulator.fleet import Fleet
from serving.simulator.scaling import decide
from serving.simulator.traffic import Arrival, workload_of
from tests.serving.simulator.fleets import GROUP, steady

PERIOD_S = 15.0
POLICIES = [load_policy(path) for path in shipped_policies()]
STATES = {"ready": "ready", "starting": "backoff", "ending": "draining"}
Said = tuple[int, int, str | None]
"""Current, desired, limited by."""


@dataclass(frozen=True)
class Look:
    """What there is to see at one round."""

    pods: tuple[Pod, ...]
    seen: Snapshot


class Around:
    """The live loop's surroundings: one look after the other, each page as text of Prometheus' format."""

    def __init__(self, looks: Sequence[Look]) -> None:
        self._looks = looks
        self.round = 0
        self.stop = asyncio.Event()
        self.said: list[Said] = []

    @property
    def look(self) -> Look:
        return self._looks[min(self.round, len(self._looks) - 1)]

    def clock(self) -> float:
        return self.round * PERIOD_S

    def log(self, line: str) -> None:
        """A round is over: the next one begins a period later."""
        decision = json.loads(line)
        assert decision["event"] == "decision"
        self.said.append((decision["current"], decision["desired"], decision["limited_by"]))
        self.round += 1
        if self.round == len(self._looks):
            self.stop.set()

    async def state(self) -> FleetState:
        replicas = tuple(
            ReplicaEntry(name=pod.name, state=STATES[pod.phase], metrics_url=pod.name) for pod in self.look.pods
        )
        return FleetState(phase="ready", gateway=Endpoint(url="gateway"), replicas=replicas)

    async def scale(self, replicas: int, reason: str) -> None:
        return

    async def read(self, url: str) -> list[Row] | str:
        name = None if url == "gateway/metrics" else url
        if (name or "gateway") in dict(self.look.seen.silent):
            return "TimeoutError"
        return parse_page("".join(_line(one) for one in self.look.seen.samples if one.replica == name))

    async def query(self, url: str, promql: str) -> float | Unavailable | None:
        raise AssertionError("there is no Prometheus")


def _line(sample: Sample) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in sample.labels if name != "job")
    return f"{sample.name}{{{labels}}} {sample.value!r}\n"


def live(policy: Policy, looks: Sequence[Look]) -> list[Said]:
    around = Around(looks)
    config = AutoscaleConfig(policy=Path("p.yaml"), control=Path("c.json"), interval_s=PERIOD_S)
    loop = Loop(config, policy, around, around.clock, around.clock, around.log)
    asyncio.run(loop.run(around.stop))
    return around.said


def simulated(policy: Policy, looks: Sequence[Look]) -> list[Said]:
    autoscaler, said = Autoscaler(policy), []
    for number, look in enumerate(looks):
        decision = decide(autoscaler, look.pods, look.seen, now_s=number * PERIOD_S)
        if decision.desired != decision.current:
            autoscaler.applied(decision, now=number * PERIOD_S)
        said.append((decision.current, decision.desired, decision.limited_by or None))
    return said


@st.composite
def looks(draw: st.DrawFn) -> Look:
    """Any state of a fleet: replicas in every phase, pages and single metrics that are missing."""
    phases = draw(st.lists(st.sampled_from(["ready", "ready", "starting", "ending"]), min_size=1, max_size=7))
    pods = tuple(Pod(f"llm-{index}", phase) for index, phase in enumerate(phases))  # type: ignore[arg-type]
    silent = [pod.name for pod in pods if pod.phase == "ready" and draw(st.integers(0, 9)) == 0]
    is_gateway_silent = draw(st.integers(0, 9)) == 0
    samples: list[Sample] = []
    for pod in pods:
        if pod.phase == "ready" and pod.name not in silent:
            labels = (("job", "triton"), ("model_name", "llm"))
            if draw(st.integers(0, 9)):
                samples.append(Sample("vllm:num_requests_waiting", draw(st.integers(0, 40)), pod.name, labels))
            samples.append(Sample("vllm:kv_cache_usage_perc", draw(st.floats(0, 1)), pod.name, labels))
            samples.append(Sample(GPU_UTILIZATION, draw(st.floats(0, 100)), pod.name, labels))
    if not is_gateway_silent:
        gateway = (("job", "gateway"),)
        samples.append(Sample("sre_gateway_predicted_ttft_seconds", draw(st.floats(0, 30)), None, gateway))
        samples.append(Sample("sre_gateway_queue_depth", draw(st.integers(0, 300)), None, gateway))
        for pod in pods:
            named = (*gateway, ("replica", pod.name))
            samples.append(Sample("sre_gateway_replica_inflight", draw(st.integers(0, 90)), None, named))
    told = [(name, "TimeoutError") for name in (["gateway"] if is_gateway_silent else []) + silent]
    return Look(pods, Snapshot(tuple(samples), tuple(told)))


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: Path(policy.where).stem)
@settings(max_examples=25)
@given(st.lists(looks(), min_size=1, max_size=8))
def test_any_series_leads_to_the_same_decisions(policy: Policy, looks: list[Look]) -> None:
    assert simulated(policy, looks) == live(policy, looks)


@pytest.fixture(scope="module")
def busy() -> Workload:
    """Quiet, then more than the fleet can serve, then quiet."""
    arrivals: list[Arrival] = [
        *steady(2, begin_s=0, end_s=60),
        *steady(25, begin_s=60, end_s=180),
        *steady(1, begin_s=180, end_s=600),
    ]
    return workload_of("busy", arrivals)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: Path(policy.where).stem)
def test_a_run_of_the_simulator_decides_as_the_live_loop_would_have(policy: Policy, busy: Workload) -> None:
    faults = [FleetFault("crash", 100.0), FleetFault("hang", 200.0, 30.0)]
    if GPU_UTILIZATION not in {metric.name for metric in policy.metrics}:
        # the live loop has no exporter of that one and then goes by what it saw of the running requests before
        faults.append(FleetFault("metrics_loss", 130.0, 40.0))
    scheduler = replace(GROUP.scheduler, kv_blocks=60, max_num_seqs=64)
    groups = (replace(GROUP, count=2, scheduler=scheduler),)
    rules = GatewayRules(admission=AdmissionConfig(kv_overcommit=3))  # else nothing waits inside a replica
    scenario = Scenario("busy", groups, busy, 600, gateway=rules, policy=policy, faults=tuple(faults))
    fleet, looks, decided = Fleet(scenario), list[Look](), list[Said]()

    def note(pods: Sequence[Pod], seen: Snapshot, decision: Decision) -> None:
        looks.append(Look(tuple(pods), seen))
        decided.append((decision.current, decision.desired, decision.limited_by or None))

    fleet.scaling.on_decision = note
    fleet.run(None)
    assert len(decided) == 40
    assert len({desired for _, desired, _ in decided}) > 1
    assert decided == live(policy, looks)

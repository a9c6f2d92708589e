"""The fleet simulator and the live gateway's own code under a virtual clock (`serving.rehearsal`) tell the same story.

The same load, the same replicas with few seats, the same fault at the same moment. What the simulator leaves out (the
gateway's way to its replicas, some milliseconds; probes a second apart) is what the bounds allow. Which few requests
meet the fault hangs on a millisecond, so the worst of them is not compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from serving.engine.faults import Faults
from serving.loadgen.model import Schedule
from serving.profiles import load
from serving.rehearsal.model import Pace, VirtualPlatform
from serving.simulator import OUTCOMES, FleetFault, GatewayRules, ReplicaGroup, Scenario, run_fleet
from serving.simulator.model import NS
from serving.simulator.traffic import Arrival, workload_of
from tests.serving.rehearsal.rehearsed import rehearsed, schedule

PROFILE = load("h100-llama3-8b-tp1")
SEATS, REPLICAS, FAULT_AT_S, DURATION_S = 4, 3, 8.0, 20.0
COLD_START = (("as rehearsed, to the next probe", 3.5),)


@dataclass(frozen=True, slots=True)
class Told:
    """Of each request that got a token: first-token time and longest gap, seconds."""

    outcomes: Counter[str]
    ttft_s: list[float]
    gap_s: list[float]
    down_s: float
    up_s: float


async def crash(platform: VirtualPlatform) -> None:
    platform.crash("llm-0")


async def hang(platform: VirtualPlatform) -> None:
    platform.set_faults("llm-0", Faults(hang=True))
    await platform.sleep(3)
    platform.set_faults("llm-0", Faults())


def by_rehearsal(offered: Schedule, act: Callable[[VirtualPlatform], Awaitable[None]]) -> Told:
    zero: list[float] = []

    async def script(platform: VirtualPlatform) -> None:
        first = platform.records()[0]
        zero.append(first.scheduled_at - offered.requests[int(first.id[1:])].offset_s)
        await platform.sleep(zero[0] + FAULT_AT_S - platform.now())
        await act(platform)

    run = rehearsed(script, load=offered, pace=Pace(warmup_s=4.0), max_num_seqs=SEATS)  # type: ignore[no-untyped-call]
    records = run.played.records
    moments = [
        next(line["at"] - zero[0] for line in run.played.gateway_log if line["event"] == event and line["at"] > zero[0])
        for event in ("replica_down", "replica_up")
    ]
    return Told(
        Counter(one.outcome for one in records),
        [one.first_token_at - one.scheduled_at for one in records if one.first_token_at is not None],
        [one.max_gap_s or 0.0 for one in records if one.first_token_at is not None],
        *moments,
    )


def by_simulator(offered: Schedule, fault: FleetFault) -> Told:
    scheduler = replace(PROFILE.scheduler, max_num_seqs=SEATS)
    group = ReplicaGroup("llm", PROFILE.name, PROFILE.gpu, 1, scheduler, PROFILE.step_time, COLD_START, REPLICAS)
    arrivals = [Arrival(round(one.offset_s * NS), one.prompt_tokens, one.max_tokens) for one in offered.requests]
    run = run_fleet(
        Scenario("both", (group,), workload_of("w", arrivals), DURATION_S + 10, GatewayRules(), faults=(fault,))
    )
    got, one = run.outcomes, run.scenario.workload
    has_token = got.first_ns >= 0
    said = [
        next((e.at_s for e in run.events if e.event in names and e.at_s >= FAULT_AT_S), -1.0)
        for names in (("replica_down", "replica_exited"), ("replica_up", "replica_ready"))
    ]
    return Told(
        Counter(OUTCOMES[code] for code in got.outcome),
        ((got.first_ns - one.at_ns)[has_token] / NS).tolist(),
        (got.longest_gap_ns[has_token] / NS).tolist(),
        *said,
    )


@pytest.mark.parametrize(
    ("act", "fault"),
    [
        (crash, FleetFault("crash", FAULT_AT_S, target="llm-0")),
        (hang, FleetFault("hang", FAULT_AT_S, 3.0, target="llm-0")),
    ],
)
def test_the_two_ways_to_simulate_agree(act: Callable[[VirtualPlatform], Awaitable[None]], fault: FleetFault) -> None:
    offered = schedule(rate_rps=16.0, duration_s=DURATION_S)  # type: ignore[no-untyped-call]
    live, simulated = by_rehearsal(offered, act), by_simulator(offered, fault)
    assert simulated.outcomes == live.outcomes == {"ok": len(offered.requests)}
    assert simulated.down_s == pytest.approx(live.down_s, abs=0.2)
    assert simulated.up_s == pytest.approx(live.up_s, abs=0.2)
    for ours, theirs in ((simulated.ttft_s, live.ttft_s), (simulated.gap_s, live.gap_s)):
        assert np.mean(ours) == pytest.approx(np.mean(theirs), rel=0.2, abs=0.01)
        assert np.median(ours) == pytest.approx(np.median(theirs), abs=0.012)

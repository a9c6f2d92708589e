"""What one replica carries, found by trying: the highest steady rate at which the share of good requests holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from serving.simulator.fleet import run_fleet
from serving.simulator.model import NS
from serving.simulator.scenario import ReplicaGroup, Scenario
from serving.simulator.score import score
from serving.simulator.traffic import Arrival, workload_of

_PROBE_S = 240.0
_ROUNDS = 8


def sustained_rps(
    group: ReplicaGroup,
    lengths: Sequence[tuple[int, int]],
    *,
    good_share: float = 0.99,
    ttft_s: float,
    tpot_s: float,
) -> float:
    """Requests a second one replica serves with `good_share` of them good, to about 1 %.

    `lengths` are (prompt, output) pairs, taken in turn at even gaps over 4 simulated minutes; bursts need more room
    than this says.
    """
    one = replace(group, count=1)
    low, high = 0.05, 0.1
    while high < 1000 and _share(one, lengths, high, ttft_s, tpot_s) >= good_share:
        low, high = high, high * 2
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        if _share(one, lengths, middle, ttft_s, tpot_s) >= good_share:
            low = middle
        else:
            high = middle
    return low


def _share(
    group: ReplicaGroup, lengths: Sequence[tuple[int, int]], rate_rps: float, ttft_s: float, tpot_s: float
) -> float:
    count = max(1, int(rate_rps * _PROBE_S))
    arrivals = [Arrival(round(i / rate_rps * NS), *lengths[i % len(lengths)]) for i in range(count)]
    run = run_fleet(Scenario("one replica", (group,), workload_of("even", arrivals), _PROBE_S))
    return score(run, ttft_s=ttft_s, tpot_s=tpot_s).overall.attainment

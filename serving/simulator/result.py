"""What a fleet simulation leaves: requests, replicas' lives, decisions, events, samples under the platform's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.simulator.columns import Outcomes
from serving.simulator.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Life:
    """One life of a replica, billed over [start_s, end_s) and serving from `ready_s` (None: never).

    A replica that crashed and came up again has two lives of one name. `end_s` is at most the run's duration.
    """

    name: str
    group: str
    zone: str
    start_s: float
    ready_s: float | None
    end_s: float
    spot: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """The fleet at one look of the autoscaler: what was wanted, what there was, what waited."""

    at_s: float
    desired: int
    ready: int
    starting: int
    waiting: int
    limited_by: str


@dataclass(frozen=True, slots=True)
class FleetEvent:
    """Something that happened, in the words of the platform's `events.jsonl` (docs/contracts.md), and `fault_begin`,
    `fault_end`.
    """

    at_s: float
    event: str
    detail: Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True, eq=False)
class SampledSeries:
    """One series of the platform's metrics as scrapes would have seen it: cumulative for counters and buckets."""

    name: str
    labels: tuple[tuple[str, str], ...]
    at_s: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class FleetResult:
    """One run. `scenario` is what was played: its workload holds what a surge brought. `series` is empty when the
    scenario did not ask for samples. `forgets_preempted_blocks`: requests were preempted, and found nothing of
    themselves in the prefix cache although the engine would have kept some, so that times are somewhat too long.
    """

    scenario: Scenario
    outcomes: Outcomes
    lives: tuple[Life, ...]
    moments: tuple[Moment, ...]
    events: tuple[FleetEvent, ...]
    series: tuple[SampledSeries, ...]
    scale_events: int
    max_queue: int
    preemptions: int
    prefix_queries_tokens: int
    prefix_hits_tokens: int
    forgets_preempted_blocks: bool = False

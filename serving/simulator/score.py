"""What a run was worth: the share of good requests, percentiles of the waits, and what was paid for.

Judged as the gateway judges (`serving.gateway.accounting`): a request is good when it was served, its first token came
within the threshold and its mean gap between tokens too; what was invalid or cancelled does not count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.simulator.columns import OUTCOMES, Outcomes, Workload
from serving.simulator.model import NS
from serving.simulator.records import CANCELLED, INVALID, OK
from serving.simulator.result import FleetResult

_PERCENTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Nearest rank, seconds; None when nothing was measured."""

    p50: float | None
    p95: float | None
    p99: float | None
    mean: float | None


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class of requests, or all. `counted` are those of the SLO: all but invalid and cancelled ones.

    `ttft` is over requests that got a first token, `tpot` (mean gap between tokens) and `e2e` over the ok ones.
    `outcomes` has a count for each of OUTCOMES. `ttft_ok` and `tpot_ok` are shares of the counted that meet one
    threshold alone.
    """

    name: str
    requests: int
    counted: int
    good: int
    outcomes: tuple[int, ...]
    ttft_ok: float
    tpot_ok: float
    ttft: Percentiles
    tpot: Percentiles
    gap: Percentiles
    e2e: Percentiles
    tokens: int
    good_tokens: int
    wasted_tokens: int

    @property
    def attainment(self) -> float:
        """Share of good requests among those that count; 1 when none does."""
        return self.good / self.counted if self.counted else 1.0

    def count(self, outcome: str) -> int:
        return self.outcomes[OUTCOMES.index(outcome)]


@dataclass(frozen=True, slots=True)
class Score:
    """`replica_s` are billed replica-seconds, cold starts included; `starting_s` the part that served nothing yet."""

    overall: ClassScore
    classes: tuple[ClassScore, ...]
    replica_s: float
    starting_s: float
    max_replicas: int
    scale_events: int
    max_queue: int
    preemptions: int


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """The requests' waits as columns, seconds; NaN where there is none. `good` says which are."""

    ttft_s: NDArray[np.float64]
    tpot_s: NDArray[np.float64]
    e2e_s: NDArray[np.float64]
    good: NDArray[np.bool_]


def service_of(workload: Workload, outcomes: Outcomes, *, ttft_s: float, tpot_s: float) -> Service:
    """How each request was served, and whether that was good."""
    has_first, is_ok = outcomes.first_ns >= 0, outcomes.outcome == OK
    first_s = np.where(has_first, (outcomes.first_ns - workload.at_ns) / NS, np.nan)
    gaps = np.maximum(outcomes.emitted - 1, 1)
    mean_gap_s = np.where(outcomes.emitted > 1, (outcomes.last_ns - outcomes.first_ns) / NS / gaps, 0.0)
    good = is_ok & (np.nan_to_num(first_s, nan=np.inf) <= ttft_s) & (mean_gap_s <= tpot_s)
    several = is_ok & (outcomes.emitted > 1)
    return Service(
        ttft_s=first_s,
        tpot_s=np.where(several, mean_gap_s, np.nan),
        e2e_s=np.where(is_ok, (outcomes.ended_ns - workload.at_ns) / NS, np.nan),
        good=good,
    )


def score(run: FleetResult, *, ttft_s: float | None = None, tpot_s: float | None = None) -> Score:
    """Judge the run by goodput thresholds: the scenario's own unless others are given."""
    scenario = run.scenario
    thresholds = (
        scenario.ttft_threshold_s if ttft_s is None else ttft_s,
        scenario.tpot_threshold_s if tpot_s is None else tpot_s,
    )
    workload = scenario.workload
    service = service_of(workload, run.outcomes, ttft_s=thresholds[0], tpot_s=thresholds[1])
    everybody = np.ones(len(workload), np.bool_)
    return Score(
        overall=_class_score("all", everybody, run.outcomes, service, thresholds),
        classes=tuple(
            _class_score(name, workload.klass == index, run.outcomes, service, thresholds)
            for index, name in enumerate(workload.classes)
        ),
        replica_s=sum(life.end_s - life.start_s for life in run.lives),
        starting_s=sum(
            max(0.0, min(life.end_s if life.ready_s is None else life.ready_s, life.end_s) - life.start_s)
            for life in run.lives
        ),
        max_replicas=max((moment.ready + moment.starting for moment in run.moments), default=0),
        scale_events=run.scale_events,
        max_queue=run.max_queue,
        preemptions=run.preemptions,
    )


def _class_score(
    name: str, chosen: NDArray[np.bool_], outcomes: Outcomes, service: Service, thresholds: tuple[float, float]
) -> ClassScore:
    outcome, good = outcomes.outcome[chosen], service.good[chosen]
    counts = np.bincount(outcome, minlength=len(OUTCOMES))
    ttft_s, tpot_s, emitted = service.ttft_s[chosen], service.tpot_s[chosen], outcomes.emitted[chosen]
    counted = int(len(outcome) - counts[INVALID] - counts[CANCELLED])
    ok = outcome == OK
    steady = ok & ~(np.nan_to_num(tpot_s) > thresholds[1])
    gaps_s = np.where(emitted > 1, outcomes.longest_gap_ns[chosen] / NS, np.nan)
    return ClassScore(
        name=name,
        requests=len(outcome),
        counted=counted,
        good=int(good.sum()),
        outcomes=tuple(counts.tolist()),
        ttft_ok=float((ttft_s <= thresholds[0]).sum()) / counted if counted else 1.0,
        tpot_ok=float(steady.sum()) / counted if counted else 1.0,
        ttft=percentiles(ttft_s),
        tpot=percentiles(tpot_s),
        gap=percentiles(gaps_s),
        e2e=percentiles(service.e2e_s[chosen]),
        tokens=int(emitted.sum()),
        good_tokens=int(emitted[good].sum()),
        wasted_tokens=int(outcomes.wasted_tokens[chosen].sum()),
    )


def percentiles(values: NDArray[np.float64]) -> Percentiles:
    """Of the values that there are: NaN is none."""
    known = np.sort(values[~np.isnan(values)])
    ranks = [nearest_rank(known, share) for share in _PERCENTILES]
    return Percentiles(ranks[0], ranks[1], ranks[2], float(known.mean()) if len(known) else None)


def nearest_rank(ordered: NDArray[np.float64], share: float) -> float | None:
    """The smallest value that at least `share` of `ordered` do not exceed; None of none."""
    return float(ordered[max(0, math.ceil(share * len(ordered)) - 1)]) if len(ordered) else None

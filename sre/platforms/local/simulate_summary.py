"""What came out of a simulated run in figures: service by class and over time, and the time that is billed.

Everything is computed from whole columns, so that ten million requests take seconds.
"""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sre.platforms.simulation import ClassService, GpuTime, Quantiles, RequestColumns, ServiceBin, SimulationSummary

if TYPE_CHECKING:
    from serving.simulator.result import FleetResult

NS = 1e9
BINS = 120
_COUNTED = ("ok", "error", "truncated", "rejected")
_Floats = NDArray[np.float64]
_Mask = NDArray[np.bool_]


def columns_of(result: FleetResult) -> RequestColumns:
    """Requests in seconds."""
    from serving.simulator.columns import OUTCOMES

    offered, found = result.scenario.workload, result.outcomes
    return RequestColumns(
        outcomes=OUTCOMES,
        classes=offered.classes,
        replicas=tuple(life.name for life in result.lives),
        at_s=offered.at_ns / NS,
        first_s=_seconds(found.first_ns),
        last_s=_seconds(found.last_ns),
        ended_s=_seconds(found.ended_ns),
        longest_gap_s=_seconds(found.longest_gap_ns),
        prompt_tokens=offered.prompt_tokens,
        output_tokens=offered.output_tokens,
        emitted=found.emitted,
        attempts=found.attempts,
        outcome=found.outcome,
        klass=offered.klass,
        replica=found.replica,
    )


def _seconds(ns: NDArray[np.int64]) -> _Floats:
    return np.where(ns >= 0, ns / NS, np.nan)


class Judged:
    """The requests with what they are judged by."""

    def __init__(self, requests: RequestColumns, *, ttft_s: float, tpot_s: float) -> None:
        self.requests = requests
        codes = [requests.outcomes.index(word) for word in _COUNTED]
        self.counted: _Mask = np.isin(requests.outcome, codes)
        self.ok: _Mask = requests.outcome == requests.outcomes.index("ok")
        self.ttft: _Floats = requests.first_s - requests.at_s
        gaps = np.maximum(requests.emitted - 1, 1)
        several = self.ok & (requests.emitted > 1)
        self.tpot: _Floats = np.where(several, (requests.last_s - requests.first_s) / gaps, np.nan)
        self.e2e: _Floats = np.where(self.ok, requests.last_s - requests.at_s, np.nan)
        in_time = ~np.isnan(self.ttft) & (self.ttft <= ttft_s + 1e-12)
        self.good: _Mask = self.ok & in_time & ~(self.tpot > tpot_s + 1e-12)


def summary_of(result: FleetResult, judged: Judged) -> SimulationSummary:
    requests = judged.requests
    everything = np.ones(len(requests), np.bool_)
    return SimulationSummary(
        duration_s=result.scenario.duration_s,
        overall=_service("all", judged, everything),
        classes=tuple(_service(name, judged, requests.klass == number) for number, name in enumerate(requests.classes)),
        gpu_time=_gpu_time(result),
        prompt_tokens=int(requests.prompt_tokens.sum()),
        wasted_tokens=int(result.outcomes.wasted_tokens.sum()),
        retried=int((requests.attempts > 1).sum()),
        max_replicas=_most_replicas(result),
        scale_events=result.scale_events,
        max_queue=result.max_queue,
        preemptions=result.preemptions,
        prefix_queries_tokens=result.prefix_queries_tokens,
        prefix_hits_tokens=result.prefix_hits_tokens,
    )


def _service(name: str, judged: Judged, which: _Mask) -> ClassService:
    requests = judged.requests
    counts = np.bincount(requests.outcome[which], minlength=len(requests.outcomes))
    good = which & judged.good
    return ClassService(
        name=name,
        requests=int(which.sum()),
        counted=int((which & judged.counted).sum()),
        good=int(good.sum()),
        outcomes=tuple((word, int(n)) for word, n in zip(requests.outcomes, counts, strict=True) if n),
        ttft=_quantiles(judged.ttft[which]),
        tpot=_quantiles(judged.tpot[which]),
        gap=_quantiles(requests.longest_gap_s[which]),
        e2e=_quantiles(judged.e2e[which]),
        good_tokens=int(requests.emitted[good].sum()),
        tokens=int(requests.emitted[which].sum()),
    )


def _quantiles(values: _Floats) -> Quantiles:
    from serving.simulator.score import percentiles

    return Quantiles(*astuple(percentiles(values)))


def service_over_time(judged: Judged, duration_s: float) -> tuple[ServiceBin, ...]:
    """Requests by when they arrived, in BINS bins of the duration."""
    requests = judged.requests
    bin_s = duration_s / BINS
    bins = np.minimum((requests.at_s / bin_s).astype(np.int64), BINS - 1)
    order = np.argsort(bins, kind="stable")
    edges = np.searchsorted(bins[order], np.arange(BINS + 1))
    return tuple(_bin(judged, order[edges[number] : edges[number + 1]], at_s=number * bin_s) for number in range(BINS))


def _bin(judged: Judged, rows: NDArray[np.int64], *, at_s: float) -> ServiceBin:
    counted, ok = judged.counted[rows], judged.ok[rows]
    ttft, tpot = _quantiles(judged.ttft[rows]), _quantiles(judged.tpot[rows])
    return ServiceBin(
        at_s=at_s,
        requests=len(rows),
        counted=int(counted.sum()),
        good=int(judged.good[rows].sum()),
        failed=int((counted & ~ok).sum()),
        ttft_p50_s=ttft.p50,
        ttft_p95_s=ttft.p95,
        tpot_p50_s=tpot.p50,
        tpot_p95_s=tpot.p95,
    )


def _gpu_time(result: FleetResult) -> tuple[GpuTime, ...]:
    busy = _busy_s(result)
    found = []
    for group in result.scenario.groups:
        lives = [(number, life) for number, life in enumerate(result.lives) if life.group == group.name]
        paid = sum(life.end_s - life.start_s for _, life in lives)
        serving = sum(max(0.0, life.end_s - life.ready_s) for _, life in lives if life.ready_s is not None)
        worked = sum(float(busy[number]) for number, _ in lives)
        found.append(
            GpuTime(
                group=group.name,
                profile=group.profile,
                gpu=group.gpu,
                gpus=group.gpus,
                spot=group.spot,
                replica_s=paid,
                starting_s=max(0.0, paid - serving),
                vacant_s=max(0.0, serving - worked),
            )
        )
    return tuple(found)


def _busy_s(result: FleetResult) -> _Floats:
    """Seconds of each life with at least one request on it; of a request that changed replicas the last one counts."""
    found = result.outcomes
    busy = np.zeros(len(result.lives))
    placed = (found.replica >= 0) & (found.placed_ns >= 0) & (found.ended_ns >= 0)
    limit_ns = round(result.scenario.duration_s * NS)
    replica = found.replica[placed].astype(np.int64)
    start = np.minimum(found.placed_ns[placed], limit_ns)
    end = np.minimum(found.ended_ns[placed], limit_ns)
    order = np.lexsort((start, replica))
    replica, start, end = replica[order], start[order], end[order]
    for number, rows in _runs(replica):
        reach = np.maximum.accumulate(end[rows])
        before = np.concatenate([[start[rows][0]], reach[:-1]])
        busy[number] = float(np.maximum(0, reach - np.maximum(before, start[rows])).sum()) / NS
    return busy


def _runs(sorted_numbers: NDArray[np.int64]) -> list[tuple[int, slice]]:
    """(number, where it stands) of each run of equal numbers."""
    if not sorted_numbers.size:
        return []
    edges = np.flatnonzero(np.diff(sorted_numbers)) + 1
    starts, ends = [0, *edges.tolist()], [*edges.tolist(), len(sorted_numbers)]
    return [(int(sorted_numbers[low]), slice(low, high)) for low, high in zip(starts, ends, strict=True)]


def _most_replicas(result: FleetResult) -> int:
    """The most replicas that were paid at one time."""
    changes = sorted([(life.start_s, 1) for life in result.lives] + [(life.end_s, -1) for life in result.lives])
    most = running = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most

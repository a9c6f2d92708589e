"""How far a candidate's simulated latencies are from those measured, over the fitted part of every run.

The sum over measures and statistics of squared logarithms of simulated / measured (the further out, the less it
counts: a p99 is one request or two), the same of single requests' TPOT and TTFT cut off at 30 %, and a small pull
towards where the search started, which decides only what the log leaves open.

A replay by the fast replica leaves out that a preempted request finds its own blocks in the prefix cache. Where that
matters its statistics are corrected by the ratio that an exact replay has to it at a point near by; the ratio changes
slowly, so a few exact replays do for a whole search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from serving.batching import SchedulerConfig, StepTimeModel
from serving.profiles.fitting.parameters import SPREAD, Parameters
from serving.profiles.fitting.request_log import RequestLog
from serving.profiles.fitting.score import MEASURES, Floats, measures, statistics

_STATISTIC_WEIGHTS = np.array([4.0, 1.0, 0.5, 0.25])
_SINGLE_WEIGHTS = {"tpot_ms": 2.0, "ttft_s": 2.0}
_SINGLE_LIMIT = 0.3
_PULL = 0.004
_LEAST = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class ReplayTimes:
    """When each request got its first and last token, seconds on the log's clock."""

    first_s: Floats
    last_s: Floats
    preemptions: int


class Replayer(Protocol):
    """Serves a log's requests at their times with a step-time model; `exact` with the prefix cache's own hits."""

    def __call__(
        self, log: RequestLog, scheduler: SchedulerConfig, step_time: StepTimeModel, *, exact: bool
    ) -> ReplayTimes: ...


@dataclass(slots=True, eq=False)
class FittedRun:
    """One run as the search sees it: `part` is what may be looked at."""

    log: RequestLog
    scheduler: SchedulerConfig
    part: NDArray[np.bool_]
    replayer: Replayer
    measured: Mapping[str, Floats] = field(init=False)
    _correction: dict[str, Floats] = field(init=False)
    _statistics: dict[str, Floats] = field(init=False)

    def __post_init__(self) -> None:
        self.measured = measures(self.log, self.log.first_s, self.log.last_s)
        self._statistics = {name: statistics(values[self.part]) for name, values in self.measured.items()}
        self._correction = {}

    def simulated(self, parameters: Parameters, *, exact: bool = False) -> tuple[dict[str, Floats], int]:
        """By measure a value for each request, and how often one was preempted."""
        model = parameters.model(
            max_num_seqs=self.scheduler.max_num_seqs, max_num_batched_tokens=self.scheduler.max_num_batched_tokens
        )
        times = self.replayer(self.log, self.scheduler, model, exact=exact)
        return measures(self.log, times.first_s, times.last_s), times.preemptions

    def correct_at(self, parameters: Parameters) -> bool:
        """Take the exact replay's ratio to the fast one here; False when they are the same."""
        fast, preemptions = self.simulated(parameters)
        if not preemptions or not self.scheduler.enable_prefix_caching:
            self._correction = {}
            return False
        exact, _ = self.simulated(parameters, exact=True)
        self._correction = {
            name: statistics(exact[name][self.part]) / statistics(fast[name][self.part]) for name in MEASURES
        }
        return True

    def residuals(self, parameters: Parameters, *, exact: bool = False) -> Floats:
        """Weighted logarithms of simulated / measured; the sum of their squares is the distance."""
        found, _ = self.simulated(parameters, exact=exact)
        correction = {} if exact else self._correction
        parts = []
        for name in MEASURES:
            real, ours = self._statistics[name], statistics(found[name][self.part])
            if np.isnan(real).any():
                continue
            parts.append(np.sqrt(_STATISTIC_WEIGHTS) * _logs(ours * correction.get(name, 1.0), real))
            if weight := _SINGLE_WEIGHTS.get(name):
                ratio = correction[name][0] if name in correction else 1.0
                parts.append(np.sqrt(weight) * self._singles(name, found[name] * ratio))
        return np.concatenate(parts)

    def _singles(self, name: str, values: Floats) -> Floats:
        off = _logs(values[self.part], self.measured[name][self.part])
        known = off[~np.isnan(off)]
        return np.asarray(np.clip(known, -_SINGLE_LIMIT, _SINGLE_LIMIT) / np.sqrt(len(known)))


def _logs(ours: Floats, real: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(ours, _LEAST) / np.maximum(real, _LEAST)))


def residuals(
    runs: Sequence[FittedRun], start: Parameters, point: NDArray[np.float64], *, exact: bool = False
) -> Floats:
    """Those of all runs, each run counting the same, and the pull."""
    parameters = Parameters.from_logs(point)
    pull = (point - start.logs) / np.exp(SPREAD.logs) * np.sqrt(_PULL)
    each = [run.residuals(parameters, exact=exact) / np.sqrt(len(runs)) for run in runs]
    return np.concatenate([*each, pull])

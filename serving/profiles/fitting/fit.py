"""Finds the parameters whose simulated latencies are nearest to those measured on the stated part, and tests the rest.

A coarse grid for the two numbers that matter most, then rounds of search over all of them, each with the correction of
`objective` renewed, until one brings no more. Of the rounds' results the one counts that is nearest by an exact replay
of the fitted part; whatever is said of the test comes from one last, exact replay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from serving.batching import StepTimeModel
from serving.errors import BadInput
from serving.profiles.fitting.objective import FittedRun, Replayer, ReplayTimes, residuals
from serving.profiles.fitting.parameters import FIRST_STEPS, Parameters, start_from
from serving.profiles.fitting.parts import MOST_FITTED, Part
from serving.profiles.fitting.request_log import RequestLog, Run
from serving.profiles.fitting.score import Comparison, compare, worst
from serving.profiles.fitting.search import descend, minimise

__all__ = ["Fit", "FitSettings", "ReplayTimes", "Replayer", "TestedRun", "fit"]

_BASE_GRID = (0.35, 0.5, 0.7, 0.85, 1.0)
_WORTH_A_ROUND = 0.02
_TOKEN_GRID = (0.1, 0.2, 0.4, 0.7, 1.0)


@dataclass(frozen=True, slots=True)
class FitSettings:
    """`descents` Gauss-Newton steps and about `simplex` more replays in each of at most `rounds`."""

    part: Part = field(default_factory=Part)
    rounds: int = 6
    descents: int = 5
    simplex: int = 60


@dataclass(frozen=True, slots=True)
class TestedRun:
    """One run under the fitted model: errors on the part that was fitted and on the one that was not."""

    title: str
    requests: int
    rate_rps: float | None
    part: str
    preemptions: int
    fitted: tuple[Comparison, ...]
    tested: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """The result; errors are shares, the worst of all runs on what was not fitted."""

    parameters: Parameters
    step_time: StepTimeModel
    runs: tuple[TestedRun, ...]
    evaluations: int

    @property
    def mean_error(self) -> float:
        return max(worst(run.tested, "mean") for run in self.runs)

    @property
    def p99_error(self) -> float:
        return max(worst(run.tested, "p99") for run in self.runs)

    @property
    def step_error(self) -> float:
        """Of the time per output token, mean and median: the step time as users see it; of all means without one."""
        seen = [one for run in self.runs for one in run.tested if one.measure == "tpot_ms"]
        return worst(seen, "mean", "p50") if seen else self.mean_error


def fit(runs: Sequence[Run], settings: FitSettings, replayer: Replayer, *, on_progress: Callable[[str], None]) -> Fit:
    """Fit one model to all `runs`, which must be of one engine. Raises BadInput when they are not."""
    _require_one_engine(runs)
    problems = [_problem(run, settings.part, replayer) for run in runs]
    start = _start(problems, is_moe=runs[0].facts.is_moe)
    on_progress(f"start: a step of {start.base_ms:.1f} ms and {start.per_token_ms:.3f} ms a prefill token")
    parameters, evaluations = start, len(_BASE_GRID) * len(_TOKEN_GRID)
    rounds: list[tuple[float, Parameters]] = []
    for number in range(settings.rounds):
        for problem in problems:
            problem.correct_at(parameters)
        parameters, count = _round(problems, start, parameters, settings)
        off = residuals(problems, start, parameters.logs, exact=True)
        rounds.append((float(off @ off), parameters))
        evaluations += count + 1
        on_progress(f"round {number + 1}: {count} replays, distance {rounds[-1][0]:.4f}")
        if _is_settled([value for value, _ in rounds]):
            break
    parameters = min(rounds, key=lambda one: one[0])[1]
    return Fit(
        parameters,
        _model_of(parameters, runs),
        tuple(_tested(run, parameters, settings.part, replayer) for run in runs),
        evaluations,
    )


def _is_settled(distances: list[float]) -> bool:
    """Whether the last round brought less than 2 % beyond the best before it; the first two are always played."""
    return len(distances) > 2 and distances[-1] > (1 - _WORTH_A_ROUND) * min(distances[:-1])


def _round(
    problems: Sequence[FittedRun], start: Parameters, parameters: Parameters, settings: FitSettings
) -> tuple[Parameters, int]:
    def off(point: NDArray[np.float64]) -> NDArray[np.float64]:
        return residuals(problems, start, point)

    def distance(point: NDArray[np.float64]) -> float:
        found = off(point)
        return float(found @ found)

    steps = np.exp(FIRST_STEPS.logs)
    point, _, count = descend(off, parameters.logs, steps, rounds=settings.descents)
    point, _ = minimise(distance, point, steps / 2, evaluations=settings.simplex)
    return Parameters.from_logs(point), count + settings.simplex


def _require_one_engine(runs: Sequence[Run]) -> None:
    for run in runs[1:]:
        if run.facts.same_engine() != runs[0].facts.same_engine():
            raise BadInput(
                f"{run.facts.path}: another engine than {runs[0].facts.path}: fit runs of the same model, GPU and "
                "parallelism together, others apart"
            )


def _problem(run: Run, part: Part, replayer: Replayer) -> FittedRun:
    """A long log is replayed as far as the fitted part goes, and half as far again: who comes later changes little."""
    log, mask = run.log, part.mask(len(run.log))
    needed = min(len(log), max(2 * MOST_FITTED, (int(np.flatnonzero(mask)[-1]) + 1) * 3 // 2))
    return FittedRun(_head(log, needed), run.facts.scheduler, mask[:needed], replayer)


def _head(log: RequestLog, count: int) -> RequestLog:
    return replace(log, **{name: getattr(log, name)[:count] for name in RequestLog.__slots__})


def _start(problems: Sequence[FittedRun], *, is_moe: bool) -> Parameters:
    """The best of a coarse grid below what single requests show: no step is longer than a token took."""
    base_ms = min(_quickest(run.measured["tpot_ms"][run.part], run.measured["ttft_s"][run.part]) for run in problems)
    token_ms = min(_per_token_ms(run) for run in problems)
    candidates = [start_from(base_ms * a, token_ms * b, is_moe=is_moe) for a, b in product(_BASE_GRID, _TOKEN_GRID)]
    return min(candidates, key=lambda one: sum(float(off @ off) for off in (run.residuals(one) for run in problems)))


def _quickest(tpot_ms: NDArray[np.float64], ttft_s: NDArray[np.float64]) -> float:
    known = tpot_ms[~np.isnan(tpot_ms)]
    seen = np.percentile(known, 5) if len(known) else np.percentile(ttft_s, 5) * 1000
    return max(0.1, float(seen))


def _per_token_ms(run: FittedRun) -> float:
    """An upper bound of the time a prefill token takes: first token times by the prompt, of the quicker tenth."""
    each = run.measured["ttft_s"][run.part] * 1000 / run.log.prompt_tokens[run.part]
    return min(5.0, max(0.001, float(np.percentile(each, 10))))


def _model_of(parameters: Parameters, runs: Sequence[Run]) -> StepTimeModel:
    limits = [run.facts.scheduler for run in runs]
    return parameters.model(
        max_num_seqs=max(one.max_num_seqs for one in limits),
        max_num_batched_tokens=max(one.max_num_batched_tokens for one in limits),
    )


def _tested(run: Run, parameters: Parameters, part: Part, replayer: Replayer) -> TestedRun:
    whole = FittedRun(run.log, run.facts.scheduler, part.mask(len(run.log)), replayer)
    simulated, preemptions = whole.simulated(parameters, exact=True)
    return TestedRun(
        title=run.title,
        requests=len(run.log),
        rate_rps=run.log.rate_rps,
        part=part.in_words(len(run.log)),
        preemptions=preemptions,
        fitted=tuple(compare(whole.measured, simulated, whole.part)),
        tested=tuple(compare(whole.measured, simulated, ~whole.part)),
    )

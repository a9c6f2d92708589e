"""Many configurations of one simulation: all of a grid, some drawn from it, or successive halving.

Halving (Jamieson and Talwalkar, 2016; the rungs of Hyperband, Li and others, 2018): every drawn configuration is played
on the first quarter of the time, the better half of them on the first half, the better half of those on all of it.
Better is: meets the target and costs less for a good token; of those that miss it, misses it by less. All points of a
sweep share one seed, so that they are told apart by their settings, not by luck. What is found depends on nothing else:
neither on the number of processes nor on an interruption in between.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sre.errors import SreError
from sre.platforms.local.errors import faults_one_by_one
from sre.platforms.local.sweep_executors import Executor, executor_of
from sre.platforms.local.sweep_knobs import MOST_POINTS, Settings, changed, drawn, grid, require_knobs, size
from sre.platforms.local.sweep_point import Task
from sre.platforms.local.sweep_store import PointStore
from sre.platforms.simulation import SimulationRequest, SimulationSummary, Sweep, SweepPoint, SweepRequest

if TYPE_CHECKING:
    from serving.simulator.scenario_build import Built
    from serving.simulator.scenario_file import ScenarioDocument

RUNGS = (0.25, 0.5, 1.0)
_SAID = 100
Price = Callable[[SimulationSummary], float | None]
"""Cost of a million good tokens; None where there is no price, or no good token."""


def sweep(request: SweepRequest, *, price: Price, on_progress: Callable[[str], None]) -> Sweep:
    """Play it. Raises SreError, one line, for a knob or value that cannot be, a folder of another sweep, too large a
    grid; EnvironmentLacks where Ray is asked for and absent. A configuration that cannot be is a failed point.
    """
    require_knobs(request.knobs)
    _require_size(request)
    executor = executor_of(request.executor, request.jobs)
    base, document = _base(request)
    seed = base.scenario.seed
    with PointStore(request.folder, _spec(request, document)) as store:
        resumed = len(store.found)
        if resumed:
            on_progress(f"{resumed} finished points taken from {request.folder}")
        player = _Player(request.base, base.scenario.duration_s, store, executor, on_progress)
        points = _searched(request, player.play, price, seed)
        store.finish()
    return Sweep(
        title=base.scenario.title,
        workload=base.scenario.workload.title,
        knobs=tuple(request.knobs),
        search=request.search,
        target=request.target,
        seed=seed,
        ttft_threshold_s=base.scenario.ttft_threshold_s,
        tpot_threshold_s=base.scenario.tpot_threshold_s,
        points=points,
        resumed=resumed,
        grid_size=size(request.knobs),
        profiles=tuple((profile.name, " ".join(profile.source.split())) for profile in base.profiles),
        notes=base.notes,
    )


@dataclass(frozen=True, slots=True)
class _Player:
    """Plays what the store does not have, and keeps it there."""

    base: SimulationRequest
    duration_s: float
    store: PointStore
    executor: Executor
    on_progress: Callable[[str], None]

    def play(self, wanted: Sequence[Settings], fidelity: float) -> list[SweepPoint]:
        """The points of these settings, in their order."""
        tasks = [Task(self.base, settings, self.duration_s, fidelity, Path.cwd()) for settings in wanted]
        found = self.store.found
        missing = [task for task in tasks if (task.settings, task.fidelity) not in found]
        done = itertools.count(len(tasks) - len(missing) + 1)

        def told(point: SweepPoint) -> None:
            self.store.add(point)
            self.on_progress(f"{next(done)} of {len(tasks)}: {_said(point)}")

        if missing:
            self.executor.run(missing, told)
        return [found[(task.settings, task.fidelity)] for task in tasks]


def _require_size(request: SweepRequest) -> None:
    count = size(request.knobs) if request.search == "grid" else request.trials
    if request.search != "grid" and request.trials < 1:
        raise SreError(f"--search {request.search}: say how many configurations are tried: --trials 20")
    if count > MOST_POINTS:
        raise SreError(
            f"{count:,} configurations are too many: vary less, or draw some with --search halving --trials 50"
        )


def _base(request: SweepRequest) -> tuple[Built, ScenarioDocument]:
    """The scenario that is varied, built with the first settings that can be: its trace and options are checked once,
    here, in place of once a point.
    """
    from serving.simulator.scenario_build import build_scenario
    from sre.platforms.local.simulate_document import document_of

    problems: list[SreError] = []
    for settings in _first_few(request):
        try:
            with faults_one_by_one():
                document = document_of(changed(request.base, settings))
                return build_scenario(document, folder=Path(), keep_samples=False), document
        except SreError as error:
            problems.append(error)
    raise problems[0]


def _first_few(request: SweepRequest) -> list[Settings]:
    """One combination for each value of each knob, the rest at its first: enough to find one that can be."""
    first: Settings = tuple((knob.name, knob.values[0]) for knob in request.knobs)
    others = [
        tuple((name, value if name == knob.name else kept) for name, kept in first)
        for knob in request.knobs
        for value in knob.values[1:]
    ]
    return [first, *others]


def _searched(
    request: SweepRequest,
    played: Callable[[Sequence[Settings], float], list[SweepPoint]],
    price: Price,
    seed: int,
) -> tuple[SweepPoint, ...]:
    if request.search == "grid":
        return tuple(played(grid(request.knobs), 1.0))
    chosen = drawn(request.knobs, request.trials, seed=seed)
    if request.search == "random":
        return tuple(played(chosen, 1.0))
    last: dict[Settings, SweepPoint] = {}
    left = chosen
    for fidelity in RUNGS:
        points = played(left, fidelity)
        last |= {point.settings: point for point in points}
        able = [point for point in points if point.state == "simulated"]
        best = sorted(able, key=lambda point: _rank(point, request.target, price))[: math.ceil(len(able) / 2)]
        kept = {point.settings for point in best}
        left = [settings for settings in left if settings in kept]
        if not left:
            break
    return tuple(last[settings] for settings in chosen)


def _rank(point: SweepPoint, target: float, price: Price) -> tuple[int, float]:
    """Lower is better."""
    summary = point.summary
    attainment = 0.0 if summary is None else summary.attainment or 0.0
    cost = None if summary is None else price(summary)
    if attainment >= target and cost is not None:
        return 0, cost
    return 1, -attainment


def _said(point: SweepPoint) -> str:
    if point.summary is None:
        return f"{point.name}: {point.reason if len(point.reason) <= _SAID else point.reason[:_SAID] + '...'}"
    share = point.summary.attainment
    part = "" if point.fidelity == 1 else f" (first {point.fidelity:.0%})"
    return f"{point.name}{part}: {'n/a' if share is None else f'{share:.2%}'} good"


def _spec(request: SweepRequest, document: ScenarioDocument) -> dict[str, Any]:
    """What makes two sweeps the same one, files by their content: not the number of processes, not the folder."""
    from importlib.metadata import version

    from sre.platforms.local.simulate_document import portable

    written = portable(document)
    values = [Path(value) for knob in request.knobs if knob.name in ("policy", "profile") for value in knob.values]
    files = [*(path for _, path in written.files), *(path for path in values if path.is_file())]
    return {
        "schema": 1,
        "version": version("llm-gameday"),
        "knobs": [[knob.name, list(knob.values)] for knob in request.knobs],
        "search": request.search,
        "trials": request.trials,
        "target": request.target,
        "scenario": hashlib.sha256(written.text.encode()).hexdigest(),
        "files": [hashlib.sha256(path.read_bytes()).hexdigest() for path in files],
    }

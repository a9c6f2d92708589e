"""One point of a sweep, played wherever it is sent: whatever happens to it, a point comes back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sre.errors import SreError
from sre.platforms.local.sweep_knobs import Settings, changed
from sre.platforms.simulation import SimulationRequest, SimulationSummary, SweepPoint


@dataclass(frozen=True, slots=True)
class Task:
    """`base` with `settings`, over the first `fidelity` of `duration_s`.

    Paths are relative to `folder`, an absolute one: it may be played on another machine with the same files.
    """

    base: SimulationRequest
    settings: Settings
    duration_s: float
    fidelity: float = 1.0
    folder: Path = Path()

    def failed(self, reason: str) -> SweepPoint:
        return SweepPoint(self.settings, "failed", None, reason, self.fidelity)


def play(task: Task) -> SweepPoint:
    """Never raises but for an interruption: a configuration that cannot be is a result too."""
    try:
        summary = _summary(replace(_placed(task), keep_samples=False), task)
    except SreError as error:
        return task.failed(" ".join(str(error).split()))
    except MemoryError:
        return task.failed("crashed: out of memory")
    except Exception as error:  # noqa: BLE001  (kept and named, so that the rest of the sweep goes on)
        return task.failed(f"crashed: {type(error).__name__}: {' '.join(str(error).split())[:200]}")
    return SweepPoint(task.settings, "simulated", summary, "", task.fidelity)


def _placed(task: Task) -> SimulationRequest:
    """The request, its paths absolute."""
    request = changed(task.base, task.settings, task.folder)
    files = {name: getattr(request, name) for name in ("scenario", "trace", "policy", "price_book")}
    placed = {name: task.folder / path for name, path in files.items() if path is not None}
    if request.profile is not None and request.profile.endswith((".yaml", ".yml")):
        placed["profile"] = str(task.folder / request.profile)
    return replace(request, **placed)


def _summary(request: SimulationRequest, task: Task) -> SimulationSummary:
    from serving.simulator.fleet import run_fleet
    from serving.simulator.scenario_build import build_scenario, shortened
    from sre.platforms.local.errors import faults_one_by_one
    from sre.platforms.local.simulate_document import document_of
    from sre.platforms.local.simulate_summary import Judged, columns_of, summary_of

    with faults_one_by_one():
        document = document_of(request)
        if task.fidelity < 1:
            document = shortened(document.model_copy(update={"duration_s": task.duration_s}), task.fidelity)
        built = build_scenario(document, folder=Path(), keep_samples=False)
        result = run_fleet(built.scenario)
        scenario = result.scenario
        judged = Judged(columns_of(result), ttft_s=scenario.ttft_threshold_s, tpot_s=scenario.tpot_threshold_s)
        return summary_of(result, judged)

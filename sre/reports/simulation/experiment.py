"""An experiment file as a simulation: what is offered, how many replicas, and the faults of its method at their times.

Chaos begins after the load's warm-up; each step comes after the pauses the file states, and takes no time itself. A
fault lasts until the step that heals, at most for its lease; a crash mends itself. A method with a step that the fleet
model does not know is refused: half an experiment would be another one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sre.chaos.experiment import load_drill
from sre.chaos.faults.by_action import fault_of, heals
from sre.chaos.lint.document import read_experiment
from sre.chaos.lint.tree import field, items, plain
from sre.chaos.model import Drill
from sre.errors import BadDocument
from sre.platforms.simulation import FaultKind, FaultRequest, ReplicaFacts, SimulationRequest

DEFAULT_REPLICAS = 3
DEFAULT_PROFILE = "h100-llama3-8b-tp1"
_KEPT_ZONE, _LOST_ZONE = "kept", "lost"
_OF_FAULT: Mapping[str, FaultKind] = MappingProxyType(
    {
        "replica-crash": "crash",
        "stub-crash": "crash",
        "replica-hang": "hang",
        "replica-slow": "slow",
        "kv-exhaustion": "kv_loss",
        "poison-request": "poison",
        "cold-start": "cold_start_slow",
        "spot-preemption": "spot_notice",
        "zone-loss": "zone_loss",
        "autoscaler-down": "autoscaler_down",
        "metrics-down": "metrics_loss",
        "metrics-stale": "metrics_loss",
        "traffic-surge": "surge",
    }
)
"""Which fault of the fleet model stands for which of ours; what is missing, the model does not know."""
_FATAL_XIDS = (48, 95)


@dataclass(frozen=True, slots=True)
class ExperimentPlan:
    """`request` is the experiment as a simulation of its own, with its faults; `slos` are those it is about."""

    id: str
    title: str
    request: SimulationRequest
    slos: tuple[str, ...]


def plan_of(
    path: Path, *, profile: str | None, facts: Callable[[str], ReplicaFacts], replicas: int | None = None
) -> ExperimentPlan:
    """`profile` and `replicas` in place of the experiment's own; `facts` tells of a profile's replica. Raises
    BadDocument, also when the fleet model does not know one of its faults.
    """
    drill = load_drill(path)
    chosen = profile or drill.platform.profile or DEFAULT_PROFILE
    replicas = replicas or drill.platform.replicas or DEFAULT_REPLICAS
    told, problems = _faults(path, drill, facts(chosen))
    if problems:
        raise BadDocument(problems)
    lost = next((round(fault.value or 1) for fault in told if fault.kind == "zone_loss"), 0)
    request = SimulationRequest(
        profile=chosen,
        replicas=replicas,
        workload="chat",
        rate_rps=drill.workload.rate_rps,
        duration_s=drill.workload.duration_s,
        burstiness_cv=drill.workload.cv,
        seed=drill.workload.seed,
        policy=drill.platform.autoscale,
        drill_clock=drill.clock_factor,
        faults=tuple(replace(fault, value=None) if fault.kind == "zone_loss" else fault for fault in told),
        zones=(_LOST_ZONE,) * lost + (_KEPT_ZONE,) * max(0, replicas - lost) if lost else None,
        spot=True if any(fault.kind == "spot_notice" for fault in told) else None,
    )
    return ExperimentPlan(drill.id, drill.title, request, drill.slos)


def _faults(path: Path, drill: Drill, facts: ReplicaFacts) -> tuple[list[FaultRequest], list[str]]:
    found: list[FaultRequest] = []
    problems: list[str] = []
    at_s = drill.workload.warmup_s
    for step in items(field(read_experiment(path), "method")):
        activity = plain(step)
        if not isinstance(activity, dict) or activity.get("type") != "action":
            continue
        provider, pauses = activity.get("provider") or {}, activity.get("pauses") or {}
        at_s += float(pauses.get("before") or 0)
        module, func = str(provider.get("module")), str(provider.get("func"))
        fault = fault_of(module, func)
        if heals(module, func):
            found = [_healed(one, at_s) for one in found]
        elif fault is None:
            problems.append(f"{path}:{step.line}: the fleet model has no {module}.{func}: rehearse it instead")
        else:
            arguments = dict(provider.get("arguments") or {})
            try:
                found += _of(fault, at_s, arguments, drill, facts)
            except LookupError:
                problems.append(
                    f"{path}:{step.line}: the fleet model does not know {fault}: rehearse it instead (sre rehearse)"
                )
        at_s += float(pauses.get("after") or 0)
    return found, problems


def _healed(fault: FaultRequest, at_s: float) -> FaultRequest:
    if fault.kind in ("crash", "poison", "spot_notice") or fault.duration_s is None:
        return fault
    return replace(fault, duration_s=max(0.001, min(fault.duration_s, at_s - fault.at_s)))


def _of(fault: str, at_s: float, arguments: Mapping[str, Any], drill: Drill, facts: ReplicaFacts) -> list[FaultRequest]:
    """LookupError for a fault, or a variety of it, that the model does not know."""
    target = {"any": "llm-0"}.get(str(arguments.get("replica", "busiest")), str(arguments.get("replica", "busiest")))
    lease_s = float(arguments.get("lease_s", 60))
    if fault == "gpu-xid":
        if int(arguments.get("xid", 79)) not in _FATAL_XIDS:
            raise LookupError(fault)
        return [FaultRequest("crash", at_s, target=target)]
    kind = _OF_FAULT[fault]
    rate_rps = drill.workload.rate_rps
    if kind == "crash":
        return [FaultRequest(kind, at_s, target=target)]
    if kind == "cold_start_slow":
        factor = (facts.cold_start_s + float(arguments.get("extra_s", 20))) / max(facts.cold_start_s, 0.001)
        return [FaultRequest(kind, at_s, lease_s, value=factor), FaultRequest("crash", at_s, target=target)]
    if kind == "spot_notice":
        return [FaultRequest(kind, at_s, target=target, value=float(arguments.get("notice_s", 5)))]
    if kind == "zone_loss":
        lost = arguments.get("replicas", 2)
        count = len(lost) if isinstance(lost, list) else int(lost)
        return [FaultRequest(kind, at_s, lease_s, target=_LOST_ZONE, value=float(count))]
    value = {
        "slow": lambda: float(arguments.get("factor", 3)),
        "kv_loss": lambda: min(1.0, float(arguments.get("blocks", 8)) / facts.kv_blocks),
        "surge": lambda: float(
            arguments.get("factor") or (rate_rps + float(arguments.get("rate_rps") or 0)) / rate_rps
        ),
        "poison": lambda: 1.0,
    }.get(kind, lambda: None)()
    duration_s = 1 / rate_rps if kind == "poison" else lease_s
    return [FaultRequest(kind, at_s, duration_s, target, value)]

"""What the method does, held against what the file states of it: leases, blast radius, deadline, load."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from sre.chaos.faults.catalogue import fault_class, fault_names
from sre.chaos.faults.footprint import Footprint, footprint
from sre.chaos.faults.model import Fault
from sre.chaos.lint.model import Notes
from sre.chaos.lint.scope import Scope
from sre.chaos.lint.steps import Step, driver_of, longest_window_s, steps_of
from sre.chaos.lint.tree import field, items, text
from sre.chaos.lint.workspace import check_workspace
from sre.chaos.model import Drill
from sre.platforms.select import DRIVERS
from sre.slo.documents import Node

DEFAULT_REPLICAS = 3
_LIVENESS = ("healthy_replicas", "unhealthy_replicas")
_NEEDS = {
    "autoscaler": ("autoscale", "name a policy in `platform.autoscale`"),
    "prometheus": ("prometheus", "write `prometheus: true` in `platform`"),
}


def check_method(root: Node, drill: Drill | None, notes: Notes, scope: Scope) -> None:
    """`drill` None: its section has errors, and only what needs no section is checked."""
    method, rollbacks = field(root, "method"), field(root, "rollbacks")
    steps = steps_of(method, scope)
    for step in steps:
        if step.fault is not None:
            _check_fault(step, notes, scope)
    _check_healing(rollbacks, steps, notes, scope)
    probes = items(field(field(root, "steady-state-hypothesis"), "probes"))
    _check_hypothesis(probes, notes, scope)
    if drill is None:
        return
    section = _section(root)
    if method is not None and method.items and not any(step.fault for step in steps):
        notes.warnings.add(method, "no action of sre.chaos.actions: nothing is proven, the verdict could only be void")
    _check_leases(steps, drill, notes)
    _check_radius(steps, drill, section, notes)
    _check_times(steps, drill, section, notes, longest_window_s(probes, scope))
    _check_needs(steps, drill, section, notes, scope)
    _check_guard(steps, drill, section, notes)
    check_workspace(drill, section, notes)


def _section(root: Node) -> Node:
    from sre.chaos.drill import EXTENSION

    return next(item for item in items(field(root, "extensions")) if text(item, "name") == EXTENSION)


def _check_fault(step: Step, notes: Notes, scope: Scope) -> None:
    arguments = field(field(step.at, "provider"), "arguments")
    at = arguments or step.at
    lease = field(arguments, "lease_s")
    if lease is not None:
        value = scope.constant(lease)
        known = not (isinstance(lease.scalar, str) and value is None)
        if known and (isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf):
            notes.errors.add(lease, f"is {lease.kind}: write seconds after which it is undone at the latest, above 0")
    _, refusal = step.made()
    if refusal is not None:
        notes.errors.add(at, refusal)
    if step.background:
        notes.errors.add(step.at, "a fault must be proven before the next activity: leave it out", key="background")


def _check_healing(rollbacks: Node | None, steps: Sequence[Step], notes: Notes, scope: Scope) -> None:
    undoing = [step for step in steps_of(rollbacks, scope) if step.heals]
    if rollbacks is not None and rollbacks.items and not undoing:
        notes.errors.add(rollbacks, "none undoes the fault: play sre.chaos.actions.heal_faults")
    for step in (*steps, *undoing):
        if step.heals and step.background:
            notes.errors.add(step.at, "what follows must see the platform healed: leave it out", key="background")
    faults = [index for index, step in enumerate(steps) if step.fault is not None]
    if faults and not any(step.heals for step in steps[faults[-1] :]):
        notes.warnings.add(
            steps[faults[-1]].at,
            "the fault is still there when the steady state is looked at again: play heal_faults in the method",
        )


def _check_hypothesis(probes: Sequence[Node], notes: Notes, scope: Scope) -> None:
    functions = [
        text(field(scope.activities.get(text(probe, "ref"), probe), "provider"), "func") or "other" for probe in probes
    ]
    if functions and all(function in _LIVENESS for function in functions):
        mend = "add a probe of what clients get, e.g. sre.chaos.probes.availability"
        notes.warnings.add(probes[0], f"the hypothesis looks at processes only: {mend}")


def _check_leases(steps: Sequence[Step], drill: Drill, notes: Notes) -> None:
    for index, step in enumerate(steps):
        lease_s = step.arguments.get("lease_s")
        if step.fault is None or isinstance(lease_s, bool) or not isinstance(lease_s, int | float):
            continue
        arguments = field(field(step.at, "provider"), "arguments")
        at = field(arguments, "lease_s") or step.at
        if lease_s > drill.deadline_s:
            notes.errors.add(at, f"is {lease_s:g}, deadline_s is {drill.deadline_s:g}: make the lease shorter")
        meant_s = step.after_s
        for later in steps[index + 1 :]:
            meant_s += later.before_s
            if later.heals:
                break
            meant_s += later.after_s
        notice_s = step.arguments.get("notice_s")
        if step.fault == "spot-preemption" and isinstance(notice_s, int | float) and lease_s <= notice_s:
            said = f"is {lease_s:g}, so it is undone before its notice of {notice_s:g} s ends"
            notes.errors.add(at, f"{said}: make the lease longer")
        if lease_s < meant_s:
            notes.warnings.add(
                at, f"is {lease_s:g}, the method lets the fault last {meant_s:g} s: make the lease longer"
            )


def _check_radius(steps: Sequence[Step], drill: Drill, section: Node, notes: Notes) -> None:
    stated = drill.blast_radius
    at = field(section, "blast_radius") or section
    most, everything, sure = 0, set[str](), True
    together: list[Footprint] = []
    for step in steps:
        if step.heals:
            together = []
        fault, _ = step.made()
        if fault is None:
            sure = sure and step.fault is None
            continue
        hit = _hit(fault, drill)
        together.append(hit)
        everything |= set(hit.components)
        count = len({name for one in together for name in one.named}) + sum(one.chosen for one in together)
        most = max(most, count)
        if (hit.named or hit.chosen) and count > stated.max_replicas:
            said = f"{count} replica(s) are hit at a time, blast_radius.max_replicas is {stated.max_replicas}"
            notes.errors.add(step.at, f"{said}: heal the fault before it, or raise it")
        for component in sorted(set(hit.components) - set(stated.components)):
            notes.errors.add(step.at, f"{component} is hit, blast_radius.components does not name it: add it there")
    _check_left(most, drill, at, notes)
    if sure and steps:
        _check_too_wide(most, everything, drill, at, notes)


def _hit(fault: Fault, drill: Drill) -> Footprint:
    """Where the platform is to have no Prometheus, none is hit."""
    hit = footprint(fault, replicas=drill.platform.replicas or DEFAULT_REPLICAS)
    if drill.platform.prometheus is False:
        return replace(hit, components=tuple(name for name in hit.components if name != "prometheus"))
    return hit


def _check_left(most: int, drill: Drill, at: Node, notes: Notes) -> None:
    replicas = drill.platform.replicas or DEFAULT_REPLICAS
    left = replicas - most
    if most and left < drill.blast_radius.min_healthy:
        said = f"is {drill.blast_radius.min_healthy}, of {replicas} replica(s) {max(left, 0)} would be left"
        notes.errors.add(at, f"{said}: raise platform.replicas, or lower it", key="min_healthy")


def _check_too_wide(most: int, everything: set[str], drill: Drill, at: Node, notes: Notes) -> None:
    stated = drill.blast_radius
    if stated.max_replicas > most:
        notes.warnings.add(at, f"is {stated.max_replicas}, the method hits {most}: write {most}", key="max_replicas")
    for component in sorted(set(stated.components) - everything):
        notes.warnings.add(at, f"names {component}, which the method does not hit: remove it", key="components")


def _check_times(steps: Sequence[Step], drill: Drill, section: Node, notes: Notes, window_s: float) -> None:
    pauses_s = sum(step.pauses_s for step in steps)
    load, deadline = field(section, "workload") or section, field(section, "deadline_s") or section
    if pauses_s >= drill.deadline_s:
        notes.errors.add(deadline, f"is {drill.deadline_s:g}, the method's pauses alone take {pauses_s:g} s: raise it")
    needed_s = drill.workload.warmup_s + pauses_s
    if drill.workload.duration_s < needed_s:
        said = f"is {drill.workload.duration_s:g}, warm-up and the method's pauses take {needed_s:g} s"
        notes.errors.add(load, f"{said}: make it longer", key="duration_s")
    if drill.workload.warmup_s < window_s:
        said = f"is {drill.workload.warmup_s:g}, a probe looks {window_s:g} s back before the method: make it longer"
        notes.warnings.add(load, said, key="warmup_s")
    healed = [index for index, step in enumerate(steps) if step.heals]
    if not healed or any(step.fault for step in steps[healed[-1] :]):
        return
    calm_s = steps[healed[-1]].after_s + sum(step.pauses_s for step in steps[healed[-1] + 1 :])
    if calm_s < window_s:
        said = f"{calm_s:g} s of calm follow the recovery, a probe looks {window_s:g} s back and sees the fault"
        notes.warnings.add(steps[healed[-1]].at, f"{said}: pause longer, or shorten the window", key="pauses")


def _check_needs(steps: Sequence[Step], drill: Drill, section: Node, notes: Notes, scope: Scope) -> None:
    driver, families = driver_of(scope), []
    for step in steps:
        if step.fault is None or step.fault not in fault_names():
            continue
        cls = fault_class(step.fault, driver)
        families.append(cls.family)
        if driver in DRIVERS and driver not in cls.platforms:
            there = ", ".join(cls.platforms)
            notes.errors.add(step.at, f"{cls.name} is for {there} only, `platform` is {driver!r}: name that platform")
        aimed_at = step.arguments.get("target")
        for need in (*cls.needs, *(("prometheus",) if aimed_at == "prometheus" else ())):
            key, mend = _NEEDS.get(need, ("", ""))
            if key and not getattr(drill.platform, key):
                notes.errors.add(step.at, f"{cls.name} needs {need}: {mend}")
    if families and drill.family not in families:
        at = field(section, "family") or section
        said = f"is {drill.family}, its faults are of {', '.join(dict.fromkeys(families))}"
        notes.warnings.add(at, f"{said}: write one of those")


def _check_guard(steps: Sequence[Step], drill: Drill, section: Node, notes: Notes) -> None:
    """The guard fails closed: it aborts a run whose samples it does not see."""
    if drill.guard.metrics_may_vanish or drill.guard.stale_after_s is not None:
        return
    for step in steps:
        fault, _ = step.made()
        hit = footprint(fault, replicas=1).components if fault is not None else ()
        if fault is not None and ("recorder" in hit or "gateway" in hit) and fault.name != "metrics-lying":
            said = f"{fault.name} takes away what the guard reads, which aborts the run"
            notes.warnings.add(
                field(section, "guard") or section,
                f"missing: {said}: write true, or a longer stale_after_s",
                key="guard.metrics_may_vanish" if field(section, "guard") is None else "metrics_may_vanish",
            )
            return

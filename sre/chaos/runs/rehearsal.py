"""What an experiment would hit on the platform that is up: every fault of its method is planned, none is applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chaoslib.configuration import load_configuration
from chaoslib.exceptions import InvalidExperiment

from sre.chaos.experiment import load_drill
from sre.chaos.faults.catalogue import fault_class
from sre.chaos.leases.ledger import Ledger
from sre.chaos.leases.radius import require_within
from sre.chaos.leases.records import open_leases
from sre.chaos.lint.document import read_experiment
from sre.chaos.lint.scope import scope_of
from sre.chaos.lint.steps import Step, steps_of
from sre.chaos.lint.tree import field, plain, text
from sre.chaos.model import BlastRadius
from sre.errors import BadDocument, SreError
from sre.platforms.model import Platform, Replica
from sre.platforms.select import select_platform


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One step of the method. `hits` are replicas and components, `handles` what the driver would lay hands on.

    `refused` says why nothing would be injected; None when it would.
    """

    step: str
    fault: str
    summary: str
    hits: tuple[str, ...] = ()
    handles: Mapping[str, Any] | None = None
    refused: str | None = None


def rehearse(experiment: Path, *, state_dir: Path | None = None) -> tuple[Rehearsed, ...]:
    """Plan each fault against the live platform, each as if it were the only one. Raises SreError for a bad file or a
    platform that does not answer.
    """
    drill = load_drill(experiment)
    root = read_experiment(experiment)
    platform = select_platform({**configuration_of(experiment), **({"state_dir": str(state_dir)} if state_dir else {})})
    replicas = platform.replicas()
    steps = steps_of(field(root, "method"), scope_of(root))
    return tuple(_rehearsed(step, platform, replicas, drill.blast_radius) for step in steps if step.fault is not None)


def configuration_of(experiment: Path) -> dict[str, Any]:
    """The experiment's configuration as Chaos Toolkit resolves it. Raises BadDocument for a variable without value."""
    node = field(read_experiment(experiment), "configuration")
    if node is None:
        return {}
    try:
        return dict(load_configuration(dict(plain(node))))  # type: ignore[call-overload]
    except InvalidExperiment as error:
        raise BadDocument([f"{experiment}:{node.line}: configuration: {error}: set it, or give a default"]) from error


def _rehearsed(step: Step, platform: Platform, replicas: tuple[Replica, ...], radius: BlastRadius) -> Rehearsed:
    name = str(step.fault)
    cls = fault_class(name, platform.driver)
    told = Rehearsed(text(step.at, "name"), name, cls.summary)
    if platform.driver not in cls.platforms:
        return replace(told, refused=f"it is for {' and '.join(cls.platforms)} only")
    fault, refusal = step.made()
    if fault is None:
        unknown = ", ".join(sorted(step.open_arguments))
        return replace(told, refused=refusal or f"not known before the run: {unknown}")
    try:
        plan = fault.plan(platform)
        told = replace(told, hits=(*plan.replicas, *plan.components), handles=plan.handles)
        held = open_leases(Ledger(platform.state_dir).read())
        require_within(radius, plan, replicas=replicas, open_leases=held)
    except SreError as error:
        return replace(told, refused=str(error))
    return told

"""An experiment file as a rehearsal plays it, and everything in it that cannot be rehearsed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sre.chaos.faults.by_action import fault_of, heals
from sre.chaos.lint.document import read_experiment
from sre.chaos.lint.tree import plain
from sre.errors import SreError
from sre.gameday.rehearsal import mitigations
from sre.gameday.rehearsal.acts.catalogue import coverage_of
from sre.gameday.rehearsal.leases import made
from sre.gameday.rehearsal.readings import PROBES_MODULE
from sre.reports.rehearsal.model import Coverage

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Playable:
    """An experiment as plain data, variables put in. `coverage` says of its faults how they are rehearsed; `refusals`
    name each step that is not, with the reason; () when all are.
    """

    experiment: Json
    coverage: tuple[Coverage, ...]
    refusals: tuple[str, ...]

    def require(self) -> None:
        """Raises SreError, one line, when a step cannot be rehearsed."""
        if self.refusals:
            raise SreError("; ".join(self.refusals))


def playable(path: Path) -> Playable:
    """Read an experiment that the lint has let through. Raises SreError for a fault's wrong parameters."""
    document = plain(read_experiment(path))
    assert isinstance(document, dict)  # noqa: S101  (`read_experiment` refuses anything else)
    experiment = _with_variables(document)
    faults = dict.fromkeys(fault for fault, _ in _injections(experiment))
    for fault, arguments in _injections(experiment):
        made(fault, {key: value for key, value in arguments.items() if key != "lease_s"})
    return Playable(
        experiment=experiment,
        coverage=tuple(coverage_of(fault) for fault in faults),
        refusals=tuple(_refusals(path, experiment)),
    )


def _with_variables(document: Json) -> Json:
    """The toolkit's own substitution of `${name}` by the file's configuration, in what activities are given."""
    from chaoslib import substitute
    from chaoslib.configuration import load_configuration

    configuration = load_configuration(document.get("configuration") or {})
    for activity in _activities(document):
        provider = activity.get("provider")
        if isinstance(provider, dict) and provider.get("arguments"):
            provider["arguments"] = substitute(provider["arguments"], configuration, {})
    return document


def _refusals(path: Path, experiment: Json) -> Iterator[str]:
    for activity in _activities(experiment):
        why = _why_not(activity)
        if why is not None:
            yield f"{path}: {activity.get('name')}: {why}"


def _why_not(activity: Mapping[str, Any]) -> str | None:
    provider = activity.get("provider") or {}
    module, func = str(provider.get("module")), str(provider.get("func"))
    fault = fault_of(module, func)
    if fault is not None:
        how = coverage_of(fault)
        return f"{fault} is not rehearsed: {how.note}" if how.fidelity == "not rehearsed" else None
    if heals(module, func) or module == PROBES_MODULE:
        return None
    if module == mitigations.MODULE and func in (mitigations.CARRY_OUT, mitigations.TAKE_BACK):
        return mitigations.why_not(func, provider.get("arguments") or {})
    what = f"{module}.{func}" if provider.get("type") == "python" else f"a {provider.get('type')} provider"
    return f"{what} is not rehearsed: only actions and probes of sre.chaos, and mitigations of runbooks, are"


def _injections(experiment: Json) -> Iterator[tuple[str, dict[str, Any]]]:
    for activity in _activities(experiment):
        provider = activity.get("provider") or {}
        fault = fault_of(str(provider.get("module")), str(provider.get("func")))
        if fault is not None:
            yield fault, dict(provider.get("arguments") or {})


def _activities(experiment: Json) -> Iterator[Json]:
    hypothesis = experiment.get("steady-state-hypothesis") or {}
    for group in (hypothesis.get("probes"), experiment.get("method"), experiment.get("rollbacks")):
        yield from (activity for activity in group or () if isinstance(activity, dict))

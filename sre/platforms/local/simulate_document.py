"""What is asked of a simulation as one scenario document, and that document with its files beside it.

Options change the scenario's first group. A document that goes into a report's folder names its files by what they are
called there (`traces/azure.csv`, `policy.yaml`), so that the folder alone gives the run again. A trace and a profile
keep their names, which reports show.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from serving.errors import BadInput
from sre.platforms.simulation import GENERATED, FaultRequest, SimulationRequest

if TYPE_CHECKING:
    from serving.simulator.scenario_file import ScenarioDocument

_NAMES = MappingProxyType({"policy": "policy.yaml", "price_book": "prices.yaml"})


DRILL_SCRAPE_S = 1.0
"""How often the local platform is scraped: alert windows of a minute need it."""


@dataclass(frozen=True, slots=True)
class Portable:
    """A document as YAML whose paths are `files`: (name beside it, where it is now)."""

    text: str
    files: tuple[tuple[str, Path], ...]


def document_of(request: SimulationRequest) -> ScenarioDocument:
    """The scenario with the request's options in it, every path absolute. Raises BadInput."""
    from serving.simulator.scenario_file import load_scenario

    if request.scenario is not None:
        loaded = load_scenario(request.scenario)
        data = _with_absolute_paths(loaded.model_dump(by_alias=True, exclude_unset=True), request.scenario.parent)
    elif request.profile is None:
        raise BadInput("nothing to simulate: give a scenario file, or --profile")
    else:
        data = {"groups": [{"profile": request.profile}], "workload": {"generated": "day"}}
    return _validated(_changed(data, request))


def _validated(data: dict[str, Any]) -> ScenarioDocument:
    from serving.simulator.scenario_file import ScenarioDocument

    try:
        return ScenarioDocument.model_validate(data)
    except ValidationError as error:
        said = "; ".join(
            f"{'.'.join(str(part) for part in one['loc'])}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors(include_url=False)
        )
        raise BadInput(f"the options do not fit together: {said}") from error


def _with_absolute_paths(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    from serving.simulator.scenario_build import is_file_name

    def absolute(text: str) -> str:
        return str((folder / text).resolve())

    for key in ("policy", "price_book"):
        if data.get(key) is not None:
            data[key] = absolute(data[key])
    if data["workload"].get("trace") is not None:
        data["workload"]["trace"] = absolute(data["workload"]["trace"])
    for group in data["groups"]:
        if is_file_name(group["profile"]):
            group["profile"] = absolute(group["profile"])
    return data


def _changed(data: dict[str, Any], request: SimulationRequest) -> dict[str, Any]:
    """The document's data with every option that was given."""
    group = data["groups"][0]
    group |= _given(
        profile=_profile(request.profile),
        count=request.replicas,
        zones=None if request.zones is None else list(request.zones),
        spot=request.spot,
        max_num_seqs=request.max_num_seqs,
        max_num_batched_tokens=request.max_num_batched_tokens,
        cold_start_s=request.cold_start_s,
    )
    if request.cold_start_s is not None:
        group.pop("cold_start", None)
    data["workload"] = _workload(data["workload"], request)
    data |= _given(
        duration_s=request.duration_s,
        policy=None if request.policy is None else str(request.policy.resolve()),
        seed=request.seed,
        price_book=None if request.price_book is None else str(request.price_book.resolve()),
        drill_clock=request.drill_clock,
        scrape_interval_s=request.scrape_interval_s,
    )
    if data.get("drill_clock", 1.0) > 1:
        data.setdefault("scrape_interval_s", DRILL_SCRAPE_S)
    if request.no_policy:
        data.pop("policy", None)
    thresholds = {**data.get("thresholds", {}), **_given(ttft_s=request.ttft_s, tpot_s=request.tpot_s)}
    if thresholds:
        data["thresholds"] = thresholds
    if request.routing is not None:
        data["gateway"] = _routed(data.get("gateway", {}), request.routing)
    if request.faults:
        data["faults"] = [*data.get("faults", []), *(_fault(fault) for fault in request.faults)]
    return data


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _profile(profile: str | None) -> str | None:
    from serving.simulator.scenario_build import is_file_name

    return str(Path(profile).resolve()) if profile is not None and is_file_name(profile) else profile


def _workload(data: dict[str, Any], request: SimulationRequest) -> dict[str, Any]:
    """Another source takes the place of the scenario's; a rate or a burstiness changes that one."""
    if request.trace is not None and request.workload is not None:
        raise BadInput("a trace and a generated workload are two sources: give one")
    if request.workload is not None and request.workload not in GENERATED:
        raise BadInput(f"workload {request.workload!r} is unknown: use one of {', '.join(GENERATED)}, or a trace")
    kept: dict[str, Any] = {key: data[key] for key in ("requests", "skip_bad_rows") if key in data}
    if request.trace is not None:
        data = {"trace": str(request.trace.resolve()), **kept}
    elif request.workload is not None:
        data = {"generated": request.workload, **kept}
    changes = _given(
        rate_rps=request.rate_rps,
        cv=request.burstiness_cv,
        requests=request.requests,
        skip_bad_rows=request.skip_bad_rows or None,
    )
    if data.get("classes") and request.rate_rps is not None:
        total = sum(one["rate_rps"] for one in data["classes"])
        scaled = [{**one, "rate_rps": one["rate_rps"] * changes["rate_rps"] / total} for one in data["classes"]]
        data = {**data, "classes": scaled}
        del changes["rate_rps"]
    return {**data, **changes}


def _routed(gateway: dict[str, Any], routing: str) -> dict[str, Any]:
    rules = {**gateway.get("routing", {}), "affinity": routing == "affinity"}
    balancing = "least_outstanding" if routing == "affinity" else routing
    return {**gateway, "balancing": balancing, "routing": rules}


def _fault(fault: FaultRequest) -> dict[str, Any]:
    return {
        "kind": fault.kind,
        "at_s": fault.at_s,
        **_given(duration_s=fault.duration_s, value=fault.value),
        "target": fault.target,
    }


def portable(document: ScenarioDocument) -> Portable:
    """The document as it goes into a folder of its own."""
    from serving.simulator.scenario_build import is_file_name
    from serving.simulator.scenario_file import text_of

    files: list[tuple[str, Path]] = []

    def beside(name: str, path: str) -> str:
        if (name, Path(path)) not in files:
            if any(name == other for other, _ in files):
                raise BadInput(f"{path}: another file of the scenario is called {name} too: rename one")
            files.append((name, Path(path)))
        return name

    changes: dict[str, Any] = {}
    if document.workload.trace is not None:
        name = f"traces/{Path(document.workload.trace).name}"
        changes["workload"] = document.workload.model_copy(update={"trace": beside(name, document.workload.trace)})
    for key in ("policy", "price_book"):
        if (path := getattr(document, key)) is not None:
            changes[key] = beside(_NAMES[key], path)
    changes["groups"] = [
        group.model_copy(update={"profile": beside(f"profiles/{Path(group.profile).name}", group.profile)})
        if is_file_name(group.profile)
        else group
        for group in document.groups
    ]
    return Portable(text_of(document.model_copy(update=changes)), tuple(files))


def routing_in_words(document: ScenarioDocument) -> str:
    """How the gateway chooses."""
    balancing = document.gateway.balancing.replace("_", " ")
    return f"prefix affinity, else {balancing}" if document.gateway.routing.affinity else balancing

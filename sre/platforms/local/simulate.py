"""Fleet simulations of `serving.simulator`, asked for and answered in our own words and types."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sre.errors import SreError
from sre.platforms.local.errors import faults_one_by_one
from sre.platforms.local.simulate_document import document_of, portable, routing_in_words
from sre.platforms.scaling import FleetMoment
from sre.platforms.simulation import (
    ReplicaFacts,
    SimulatedEvent,
    SimulatedFault,
    SimulatedLife,
    SimulatedSeries,
    Simulation,
    SimulationRequest,
    SimulationSummary,
)

if TYPE_CHECKING:
    from serving.simulator.result import FleetEvent, FleetResult
    from serving.simulator.scenario import FleetFault
    from serving.simulator.scenario_build import Built
    from serving.simulator.scenario_file import ScenarioDocument

_FAULT_BEGIN, _FAULT_END = "fault_begin", "fault_end"
_ON_REPLICAS = ("crash", "hang", "slow", "kv_loss", "zone_loss", "spot_notice")
_WITH_VALUE = ("slow", "kv_loss", "cold_start_slow", "spot_notice", "surge", "poison")


def simulate(
    request: SimulationRequest,
    *,
    on_progress: Callable[[str], None],
    on_share: Callable[[float], None] | None = None,
) -> Simulation:
    """Run it; `on_share` is told the share that is done. Raises SreError (exit 2), one line, for an impossible fleet,
    an unknown profile, workload or zone; BadDocument with a line for each fault of a scenario or policy.
    """
    from serving.simulator.fleet import run_fleet
    from serving.simulator.scenario_build import build_scenario

    with faults_one_by_one():
        document = document_of(request)
        built = build_scenario(document, folder=Path(), keep_samples=request.keep_samples)
        on_progress(f"{built.scenario.workload.title}: {len(built.scenario.workload):,} requests")
        return answer(run_fleet(built.scenario, on_progress=on_share), built, document)


def summarise(request: SimulationRequest) -> SimulationSummary:
    """As `simulate`, for who wants figures only: no samples are kept, nothing is said."""
    from dataclasses import replace

    return simulate(replace(request, keep_samples=False), on_progress=lambda _: None).summary


def replica_facts(profile: str) -> ReplicaFacts:
    """What faults of one replica of this profile are reckoned from. Raises SreError for an unknown one."""
    from serving.simulator.scenario_build import profile_of

    with faults_one_by_one():
        found = profile_of(profile, Path())
    return ReplicaFacts(found.scheduler.kv_blocks, sum(found.cold_start_s.values()))


def scenario_path(asked: Path) -> Path:
    """The file asked for, or the shipped one of that name. Raises SreError, naming the shipped ones, for neither."""
    from serving.simulator.scenario_file import shipped_scenarios

    shipped = shipped_scenarios()
    if asked.exists() or str(asked) not in shipped:
        if not asked.exists() and asked.suffix not in (".yaml", ".yml"):
            raise SreError(f"{asked}: is no file, and no shipped scenario: use a path, or one of {', '.join(shipped)}")
        return asked
    return shipped[str(asked)]


def price_book_of(scenario: Path) -> Path | None:
    """The price book that a scenario file names. Raises BadDocument."""
    from serving.simulator.scenario_file import load_scenario

    with faults_one_by_one():
        named = load_scenario(scenario).price_book
    return None if named is None else scenario.parent / named


def answer(result: FleetResult, built: Built, document: ScenarioDocument) -> Simulation:
    """A run of `serving.simulator` in our types."""
    from sre.platforms.local.simulate_summary import Judged, columns_of, service_over_time, summary_of

    scenario = result.scenario
    written = portable(document)
    judged = Judged(columns_of(result), ttft_s=scenario.ttft_threshold_s, tpot_s=scenario.tpot_threshold_s)
    return Simulation(
        title=scenario.title,
        document=written.text,
        files=written.files,
        price_book=None if document.price_book is None else Path(document.price_book),
        drill_clock=document.drill_clock,
        workload=scenario.workload.title,
        profiles=tuple((profile.name, " ".join(profile.source.split())) for profile in built.profiles),
        policy="" if scenario.policy is None else scenario.policy.name,
        routing=routing_in_words(document),
        seed=scenario.seed,
        duration_s=scenario.duration_s,
        scrape_interval_s=scenario.scrape_interval_s,
        ttft_threshold_s=scenario.ttft_threshold_s,
        tpot_threshold_s=scenario.tpot_threshold_s,
        cold_start=scenario.groups[0].cold_start,
        summary=summary_of(result, judged),
        requests=judged.requests,
        faults=_faults(result),
        lives=tuple(
            SimulatedLife(life.name, life.group, life.zone, life.start_s, life.ready_s, life.end_s)
            for life in result.lives
        ),
        moments=tuple(
            FleetMoment(m.at_s, m.desired, m.ready, m.starting, m.waiting, m.limited_by) for m in result.moments
        ),
        service=service_over_time(judged, scenario.duration_s),
        events=tuple(_event(event) for event in result.events),
        series=tuple(SimulatedSeries(one.name, one.labels, one.at_s, one.values) for one in result.series),
        skipped=built.skipped_rows,
        notes=(*built.notes, *_limits_of(result)),
    )


def _limits_of(result: FleetResult) -> tuple[str, ...]:
    if not result.forgets_preempted_blocks:
        return ()
    return (
        f"{result.preemptions:,} preemptions: who was preempted found nothing of itself in the prefix cache, where it "
        "would have in the engine, so times are somewhat too long (a run of at most 10,000 requests is played exactly)",
    )


def _event(event: FleetEvent) -> SimulatedEvent:
    detail = dict(event.detail)
    replica = detail.pop("replica", None)
    note = " ".join(f"{key}={value}" for key, value in detail.items())
    return SimulatedEvent(event.at_s, event.event, None if replica is None else str(replica), note)


def _faults(result: FleetResult) -> tuple[SimulatedFault, ...]:
    """The scenario's faults as they were injected."""
    return tuple(_fault(number, fault, result) for number, fault in enumerate(result.scenario.faults))


def _fault(number: int, fault: FleetFault, result: FleetResult) -> SimulatedFault:
    """Told by the events of the run: which replicas were hit, and when it was over."""
    told = {one.event: one for one in result.events if one.detail.get("fault_id") == f"f-{number}"}
    begun, ended = told.get(_FAULT_BEGIN), told.get(_FAULT_END)
    hit = str(begun.detail.get("target", "")) if begun is not None and fault.kind in _ON_REPLICAS else ""
    value = begun.detail.get("value") if begun is not None and fault.kind in _WITH_VALUE else None
    return SimulatedFault(
        kind=fault.kind,
        target=fault.target,
        begin_s=fault.at_s if begun is None else begun.at_s,
        end_s=None if ended is None or ended.at_s >= result.scenario.duration_s else ended.at_s,
        value=None if value is None else float(value),
        replicas=tuple(hit.split(",")) if hit else (),
    )

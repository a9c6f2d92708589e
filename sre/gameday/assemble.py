"""From the files a drill left behind to one `DrillReport`. Reads the report folder only, so it can be done again."""

from __future__ import annotations

import platform as machine
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from sre.chaos.experiment import missing_controls
from sre.chaos.leases.ledger import read_ledger
from sre.chaos.model import Drill, Judgement
from sre.chaos.runs.toolkit import uncoloured
from sre.chaos.verdict import Evidence, judge
from sre.cost.allocation import cost_report, replica_use
from sre.cost.ledger import with_layers
from sre.cost.model import CostReport
from sre.gameday.checks import checks, verdict
from sre.gameday.drive import Driven
from sre.gameday.evaluate import Replays, TokenCounts, disagreements
from sre.gameday.model import DrillFolder
from sre.gameday.prepare import Prepared
from sre.gameday.records import latency_summaries, request_points
from sre.gameday.spans import replica_spans
from sre.gameday.weakness import deviates_as_known
from sre.incidents.build import build_incident
from sre.incidents.evidence import (
    parse_journal,
    parse_platform_events,
    read_client_records,
    read_jsonl,
    read_object,
)
from sre.incidents.model import ClientRecord, FaultWindow, Incident, Journal, Observation, PlatformEvent
from sre.metrics.files import RecordedSamples
from sre.platforms.local import profile_source, server_description
from sre.platforms.spawn import last_lines
from sre.reports.ledger_faults import incident_faults
from sre.reports.mitigation_runs import mitigation_checks, mitigations_in
from sre.reports.model import DrillReport, PlatformFacts, Subject, WorkloadFacts
from sre.runbooks.proving import Carried
from sre.slo.model import SloResult

SUPERVISOR_NOTICES_S = 0.05


@dataclass(frozen=True, slots=True)
class Observed:
    """What was computed while the sources of samples could still be asked."""

    results: tuple[SloResult, ...]
    sources: tuple[str, ...]
    tokens: TokenCounts
    replays: Replays
    rotation: tuple[PlatformEvent, ...]
    prometheus_version: str | None


@dataclass(frozen=True, slots=True)
class _Files:
    """The artefacts of the folder, parsed."""

    faults: tuple[FaultWindow, ...]
    events: tuple[PlatformEvent, ...]
    records: tuple[ClientRecord, ...]
    journal: Journal | None
    workload: dict[str, Any]
    judgement: Judgement
    mitigations: tuple[Carried, ...]


def assemble(prepared: Prepared, driven: Driven, observed: Observed) -> DrillReport:
    """The whole report. Raises BadDocument when an artefact is missing or damaged."""
    folder = DrillFolder(prepared.folder)
    files = _read(prepared, driven, folder)
    primary = observed.sources[0]
    incident = _incident(prepared, driven, observed, files)
    cost = _cost(prepared, driven, observed, files)
    found = checks(
        judgement=files.judgement,
        expected=prepared.drill.expected,
        slos=prepared.drill.slos,
        faults=files.faults,
        incident=incident,
        cost=cost,
        primary=[r for r in observed.results if r.source == primary],
        differences=disagreements(observed.results, primary=primary),
        sources=observed.sources,
        workload=files.workload,
        replays=observed.replays,
        load_covered_chaos=driven.load_covered_chaos,
    )
    found = (*found, *mitigation_checks(files.mitigations))
    final, reasons = verdict(files.judgement, found)
    points = request_points(files.records)
    return DrillReport(
        id=folder.id,
        title=prepared.drill.title,
        experiment=prepared.options.experiment.name,
        hypothesis=prepared.drill.hypothesis,
        started_at=driven.load_began_at,
        ended_at=driven.ended_at,
        verdict=final,
        verdict_reasons=reasons,
        checks=found,
        platform=_platform_facts(prepared, driven),
        workload=_workload_facts(files.workload),
        clock_factor=prepared.clock.factor,
        primary_source=primary,
        results=observed.results,
        faults=files.faults,
        spans=replica_spans(files.events, start=driven.load_began_at, end=driven.ended_at),
        requests=points,
        latency=latency_summaries(points, fault=_phase(files.faults, driven)),
        incident=incident,
        cost=cost,
        tool_versions=_tool_versions(observed),
        limits=_limits(prepared),
        subject=subject_of_drill(prepared.drill),
        is_known=deviates_as_known(final, found, prepared.risk),
        mitigations=files.mitigations,
    )


def _read(prepared: Prepared, driven: Driven, folder: DrillFolder) -> _Files:
    journal = read_object(folder.journal) if folder.journal.exists() else None
    ledger = read_ledger(folder.ledger)
    evidence = Evidence(
        journal=journal,
        ledger=ledger,
        returncode=driven.chaos_returncode,
        missing_controls=missing_controls(prepared.options.experiment),
        log_tail=uncoloured(last_lines(folder.chaos_log, count=2)),
    )
    return _Files(
        faults=incident_faults(ledger),
        events=parse_platform_events(read_jsonl(folder.events)),
        records=read_client_records(folder.requests),
        journal=None if journal is None else parse_journal(journal),
        workload=read_object(folder.workload),
        judgement=judge(evidence),
        mitigations=mitigations_in(journal),
    )


def _incident(prepared: Prepared, driven: Driven, observed: Observed, files: _Files) -> Incident:
    return build_incident(
        incident_id=prepared.folder.name,
        title=prepared.drill.title,
        faults=files.faults,
        events=(*(event for event in files.events if event.at >= driven.since), *observed.rotation),
        journal=files.journal,
        results=observed.results,
        records=files.records,
        observation=Observation(
            start=driven.load_began_at,
            end=driven.ended_at,
            primary_source=observed.sources[0],
            supervisor_poll_s=SUPERVISOR_NOTICES_S,
            ttft_limit_s=prepared.spec.ttft_threshold_s,
        ),
    )


def subject_of_drill(drill: Drill) -> Subject:
    """The experiment in its own words, for reports."""
    weakness = drill.weakness
    return Subject(
        id=drill.id,
        family=drill.family,
        failure_mode=drill.failure_mode,
        faults=drill.faults,
        slos=drill.slos,
        risk=None if weakness is None else weakness.risk,
        weakness=None if weakness is None else weakness.text,
    )


def _phase(faults: Sequence[FaultWindow], driven: Driven) -> tuple[float, float] | None:
    if not faults:
        return None
    return faults[0].begin, faults[0].end if faults[0].end is not None else driven.ended_at


def _cost(prepared: Prepared, driven: Driven, observed: Observed, files: _Files) -> CostReport:
    uses = replica_use(files.events, end=driven.ended_at)
    start, end = driven.load_began_at, driven.ended_at
    report = cost_report(
        uses,
        price=prepared.price,
        gpus_per_replica=prepared.gpus_per_replica,
        start=start,
        end=end,
        tokens=observed.tokens.generated,
        good_tokens=observed.tokens.good,
        wasted_tokens=observed.tokens.wasted,
        incident_window=_phase(files.faults, driven),
        notes=_price_notes(prepared, start),
    )
    return with_layers(report, RecordedSamples(DrillFolder(prepared.folder).samples), uses, start=start, end=end)


def _price_notes(prepared: Prepared, at: float) -> tuple[str, ...]:
    """A price is quoted with its dates; one that was not in force on the day is said to be so."""
    day = datetime.fromtimestamp(at, UTC).date().isoformat()
    price = prepared.price
    early = price.valid_from is not None and day < price.valid_from
    late = price.valid_until is not None and day >= price.valid_until
    return (f"The price was published as valid {price.validity}; the drill ran on {day}.",) if early or late else ()


def _platform_facts(prepared: Prepared, driven: Driven) -> PlatformFacts:
    spec = prepared.spec
    return PlatformFacts(
        driver="local",
        server=server_description(),
        engine="emulated",
        profile=spec.profile,
        time_scale=spec.time_scale,
        replicas=tuple(f"llm-{index}" for index in range(spec.replicas)),
        startup_s=driven.ready_at - driven.up_began_at,
        memory_mb=driven.memory_mb,
        host=f"{machine.system()} {machine.release()}, {machine.machine()}",
    )


def _workload_facts(workload: dict[str, Any]) -> WorkloadFacts:
    return WorkloadFacts(
        source=str(workload["source"]),
        rate_rps=float(workload["rate_rps"]),
        duration_s=float(workload["duration_s"]),
        seed=workload["seed"],
        lines=tuple((str(label), str(value)) for label, value in workload["lines"]),
    )


def _tool_versions(observed: Observed) -> tuple[tuple[str, str], ...]:
    found = [
        ("llm-gameday", version("llm-gameday")),
        ("Python", machine.python_version()),
        ("Triton", server_description()),
        ("Chaos Toolkit", version("chaostoolkit")),
        ("chaostoolkit-lib", version("chaostoolkit-lib")),
    ]
    if observed.prometheus_version is not None:
        found.append(("Prometheus", observed.prometheus_version))
    return tuple(found)


def _limits(prepared: Prepared) -> tuple[str, ...]:
    no_runbook = f"There is no runbook for it: nothing is known of {prepared.drill.runbook} yet."
    scaled = "" if prepared.spec.time_scale == 1.0 else f", stretched {prepared.spec.time_scale:g} times"
    return (
        f"Triton, gRPC, the gateway and the fault are real; the GPU is not: step times follow profile "
        f"{prepared.spec.profile}{scaled}. {profile_source(prepared.spec.profile)}",
        f"Alert windows are compressed {prepared.clock.factor:g} times (the drill clock); factors and targets are not.",
        f"Samples are {prepared.spec.scrape_interval_s:g} s apart, so alert times are known to that precision.",
        "Replica-seconds are priced as if each emulated GPU were the named one; money is an illustration, not a bill.",
        "Client, gateway and replicas share one machine: latencies include its noise.",
        *(() if prepared.has_runbook else (no_runbook,)),
    )

"""From experiments and a drill's report to the facts of a runbook: the same numbers, so that both always agree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from sre.chaos.faults.catalogue import fault_class
from sre.chaos.model import BlastRadius, Drill
from sre.chaos.tables.words import WORDS
from sre.incidents.milestones import UNATTENDED
from sre.reports.drill_facts import drill_facts
from sre.reports.facts import zero
from sre.reports.formats import date, money
from sre.reports.mitigation_runs import mitigation_facts
from sre.reports.model import DrillReport
from sre.runbooks.model import (
    AlertFact,
    DrillFact,
    ExperimentFact,
    FaultFact,
    ImpactFact,
    MeasureFact,
    ObjectiveFact,
    Proof,
    SloFact,
    TierFact,
)
from sre.slo.model import Slo
from sre.slo.rules.alerts import alert_name
from sre.slo.tiers import tiers_of

_PROOFS: Mapping[str, Proof] = MappingProxyType({"passed": "passed", "known": "known", "deviated": "deviated"})
_MEASURES = tuple(f"time_to_{what}" for what in ("impact", "detect", "alert", "mitigate", "recover", "reset"))
_ADDRESS = re.compile(r"(?:https?://)?127\.0\.0\.1:\d+")
_STATE_PATH = re.compile(r"/[^\s'\"();,]*/(?=\.sre/)")
_PATH = re.compile(r"(?<![\w./:])/(?:[^\s'\"();,/]+/)+(?=[^\s'\"();,/])")


def drill_fact(report: DrillReport, *, experiment: str) -> DrillFact | None:
    """What a drill of this experiment says; None when it tested nothing (void, aborted, interrupted, error).

    The id is given, because older reports do not hold it.
    """
    facts = drill_facts(report)
    outcome = _PROOFS.get(facts.outcome)
    if outcome is None:
        return None
    results = report.primary_results()
    return DrillFact(
        experiment=experiment,
        report_id=report.id,
        at=report.started_at,
        date=date(report.started_at),
        outcome=outcome,
        reasons=tuple(without_places(reason) for reason in report.verdict_reasons),
        proof=without_places("; ".join(fault.proof for fault in report.faults)),
        source=report.primary_source,
        clock_factor=report.clock_factor,
        service=results[0].slo.service if results else "llm",
        replicas=report.platform.replicas,
        target=report.incident.target,
        objectives=tuple(ObjectiveFact(r.slo.title, r.slo.target, r.error_ratio, r.no_data_reason) for r in results),
        alerts=_alerts(report),
        impact=_impact(report),
        measures=_measures(report),
        alert=_alert_words(report),
        undone_after_s=_undone_after_s(report),
        mitigations=mitigation_facts(report, zero(report)),
        requests=facts.requests,
        failed=facts.failed,
        cost="" if facts.cost is None else money(facts.cost, facts.currency),
        incident_cost="" if facts.incident_cost is None else money(facts.incident_cost, facts.currency),
    )


def experiment_fact(drill: Drill) -> ExperimentFact:
    """What an experiment file and the classes of its faults say."""
    return ExperimentFact(
        id=drill.id,
        file=drill.path.name,
        title=drill.title,
        description=drill.description,
        hypothesis=drill.hypothesis,
        radius=_radius(drill.blast_radius),
        faults=tuple(_fault(name) for name in dict.fromkeys(drill.faults)),
        risk="" if drill.weakness is None else drill.weakness.risk,
        weakness="" if drill.weakness is None else drill.weakness.text,
    )


def slo_fact(slo: Slo) -> SloFact:
    """When an SLO alerts, in production."""
    tiers = tuple(TierFact(t.name, t.severity, t.factor, t.long_s, t.short_s) for t in tiers_of(slo))
    return SloFact(slo.name, slo.title, slo.target, tiers, alert_name(slo))


def without_places(text: str) -> str:
    """The text without addresses and folders of the machine a drill ran on: a page is read on other ones."""
    text = _ADDRESS.sub("its address", text)
    return _PATH.sub("", _STATE_PATH.sub("", text))


def _fault(name: str) -> FaultFact:
    cls = fault_class(name)
    drivers = [driver for driver in ("local", "kubernetes") if driver in fault_class(name, driver).platforms]
    undo = WORDS[name].undo
    return FaultFact(name, cls.summary, cls.protects, undo, tuple(drivers), heals=undo.startswith("nothing to do"))


def _radius(radius: BlastRadius) -> str:
    replicas = f"{radius.max_replicas} replica{'s' * (radius.max_replicas != 1)}" if radius.max_replicas else ""
    hit = ", ".join((*((replicas,) if replicas else ()), *radius.components)) or "nothing"
    return f"{hit}; at least {radius.min_healthy} stay healthy"


def _alerts(report: DrillReport) -> tuple[AlertFact, ...]:
    """The first of each SLO and tier after the fault began."""
    begin = zero(report)
    found: dict[tuple[str, str], AlertFact] = {}
    for result in report.primary_results():
        severities = {curve.tier.name: curve.tier.severity for curve in result.curves}
        for alert in sorted(result.alerts, key=lambda one: one.fired_at):
            if alert.fired_at >= begin:
                reset = None if alert.reset_at is None else alert.reset_at - begin
                fact = AlertFact(
                    result.slo.name, alert.tier, severities.get(alert.tier, "page"), alert.fired_at - begin, reset
                )
                found.setdefault((result.slo.name, alert.tier), fact)
    return tuple(found.values())


def _alert_words(report: DrillReport) -> str:
    """Whether alerts did what they should, as the drill was judged."""
    found = (check for check in report.checks if check.key == "alert" or "alert" in check.name or "pages" in check.name)
    check = next(found, None)
    if check is None:
        return "not judged"
    seen = without_places(check.observed)
    return f"{seen}, as it should be" if check.ok else f"{seen}; expected: {check.expected}"


def _undone_after_s(report: DrillReport) -> float | None:
    """When the last fault was taken away."""
    times = [fault.undone_at for fault in report.faults if fault.undone_at is not None]
    return max(times) - zero(report) if times else None


def _impact(report: DrillReport) -> ImpactFact:
    lost = report.incident.impact
    known = lost.window_start is not None and lost.window_end is not None
    return ImpactFact(
        requests=lost.requests,
        failed=lost.failed,
        truncated=lost.truncated,
        rejected=lost.rejected,
        retried=lost.retried,
        degraded=lost.degraded,
        window_s=(lost.window_end or 0.0) - (lost.window_start or 0.0) if known else None,
    )


def _measures(report: DrillReport) -> tuple[MeasureFact, ...]:
    doubt = {mark.name: mark.uncertainty_s for mark in report.incident.milestones}
    return tuple(
        MeasureFact(d.name.replace("_", " "), d.seconds, d.reason, doubt.get(d.end, 0.0))
        for d in report.incident.durations
        if d.name in _MEASURES
        if d.reason != UNATTENDED
    )

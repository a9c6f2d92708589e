"""From a drill's report to the facts of its runbook: the same numbers, so that both always agree."""

from __future__ import annotations

from sre.reports.facts import zero
from sre.reports.formats import date
from sre.reports.model import DrillReport
from sre.runbooks.model import AlertFact, DrillFact, ImpactFact, MeasureFact, ObjectiveFact, RunbookFacts
from sre.slo.model import BurnTier, SloResult


def runbook_facts(
    report: DrillReport, *, failure_mode: str, gateway_url: str = "http://127.0.0.1:8400", state_dir: str = ".sre"
) -> RunbookFacts:
    """What the runbook of `failure_mode` needs; SLO figures are the primary source's."""
    results = report.primary_results()
    target = report.incident.target
    return RunbookFacts(
        failure_mode=failure_mode,
        service=results[0].slo.service if results else "llm",
        gateway_url=gateway_url,
        state_dir=state_dir,
        replicas=report.platform.replicas,
        example_replica=target if target in report.platform.replicas else next(iter(report.platform.replicas), "llm-0"),
        startup_s=report.platform.startup_s,
        objectives=tuple(ObjectiveFact(r.slo.title, r.slo.target, r.error_ratio, r.no_data_reason) for r in results),
        alerts=tuple(_alert(report, r, c.tier) for r in results for c in r.curves if _worth_showing(r, c.tier)),
        impact=_impact(report),
        measures=_measures(report),
        drill=DrillFact(
            report.id, report.title, date(report.started_at), report.verdict, report.primary_source, report.clock_factor
        ),
    )


def _worth_showing(result: SloResult, tier: BurnTier) -> bool:
    return any(alert.tier == tier.name for alert in result.alerts)


def _alert(report: DrillReport, result: SloResult, tier: BurnTier) -> AlertFact:
    begin = zero(report)
    fired = min((a for a in result.alerts if a.tier == tier.name), key=lambda a: a.fired_at)
    reset = None if fired.reset_at is None else fired.reset_at - begin
    return AlertFact(
        objective=result.slo.title,
        tier=tier.name,
        severity=tier.severity,
        factor=tier.factor,
        long_s=tier.long_s,
        short_s=tier.short_s,
        fired_after_s=fired.fired_at - begin,
        reset_after_s=reset,
    )


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
    )

"""One drill in the few figures that a suite and the fault matrix show of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from sre.incidents.model import FAILED_OUTCOMES
from sre.reports.model import Check, DrillReport, Subject, Verdict

Outcome = Literal["passed", "known", "deviated", "void", "aborted", "interrupted", "error", "skipped", "not run"]
"""A verdict, or: `known`: it deviated as the weakness it names says; `skipped`: it cannot be played here; `not run`:
the suite ended before."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A time in seconds after the fault began; None, with the reason, where there is none."""

    seconds: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class DrillFacts:
    """What was measured. `burnt` is how many times the budget of the drill's own span the worst of its SLOs
    (`burnt_slo`) used up; None where no SLO had data. Costs are in `currency`, None where unknown.
    """

    report: str
    at: float
    took_s: float
    verdict: Verdict
    is_known: bool
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    faults: tuple[str, ...]
    is_proven: bool
    detected: Measured
    alerted: Measured
    recovered: Measured
    requests: int
    failed: int
    burnt: float | None
    burnt_slo: str | None
    cost: Decimal | None
    incident_cost: Decimal | None
    currency: str

    @property
    def outcome(self) -> Outcome:
        return "known" if self.is_known else self.verdict

    @property
    def failed_checks(self) -> tuple[Check, ...]:
        """The checks that decided against it."""
        return tuple(check for check in self.checks if check.deciding and not check.ok)


def drill_facts(report: DrillReport) -> DrillFacts:
    """The figures of one report; SLO figures are the primary source's."""
    durations = {d.name: Measured(d.seconds, d.reason) for d in report.incident.durations}
    missing = Measured(None, "not measured")
    burnt_slo, burnt = _burnt(report)
    return DrillFacts(
        report=report.id,
        at=report.started_at,
        took_s=report.ended_at - report.started_at,
        verdict=report.verdict,
        is_known=report.is_known,
        reasons=report.verdict_reasons,
        checks=report.checks,
        faults=tuple(dict.fromkeys(fault.fault for fault in report.faults)),
        is_proven=bool(report.faults) and all(fault.proven for fault in report.faults),
        detected=durations.get("time_to_detect", missing),
        alerted=durations.get("time_to_alert", missing),
        recovered=durations.get("time_to_recover", missing),
        requests=len(report.requests),
        failed=sum(point.outcome in FAILED_OUTCOMES for point in report.requests),
        burnt=burnt,
        burnt_slo=burnt_slo,
        cost=report.cost.total,
        incident_cost=report.cost.incident_total,
        currency=report.cost.price.currency,
    )


def subject_of(report: DrillReport) -> Subject:
    """Which experiment it was; a report of before they were named is called after its file."""
    if report.subject is not None:
        return report.subject
    faults = tuple(dict.fromkeys(fault.fault for fault in report.faults))
    return Subject("", "", report.experiment.removesuffix(".yaml"), faults)


def _burnt(report: DrillReport) -> tuple[str | None, float | None]:
    about = () if report.subject is None else report.subject.slos
    measured = [r for r in report.primary_results() if r.error_ratio is not None]
    concerned = [r for r in measured if r.slo.name in about] or measured
    worst = max(concerned, key=lambda r: (r.error_ratio or 0.0) / r.slo.budget, default=None)
    return (None, None) if worst is None else (worst.slo.name, (worst.error_ratio or 0.0) / worst.slo.budget)

"""A drill as an incident of the store: each drill is recorded once, under the id of its report.

What was measured goes in as it was measured: rows of the timeline with the record behind them, milestones with their
uncertainty or the reason why they are n/a. A drill that recovered is resolved; only a person closes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import cast, get_args

from sre.errors import SreError
from sre.incidents.case import Case
from sre.incidents.events import (
    AlertSeen,
    Draft,
    Linked,
    Measured,
    MilestoneMark,
    Observed,
    Opened,
    Payload,
    Severity,
    SeveritySet,
    StatusSet,
)
from sre.incidents.model import Milestone
from sre.incidents.severity import severity_facts
from sre.incidents.store.model import IncidentStore
from sre.reports.model import DrillReport
from sre.risks.model import Entry
from sre.slo.model import Alert, SloResult
from sre.slo.rules.alerts import alert_name

ACTOR = "sre gameday"
REPORT, LEDGER = "report.json", "chaos.jsonl"


def record_drill(
    store: IncidentStore, report: DrillReport, folder: Path, *, runbook: str = "", risks: Sequence[Entry] = ()
) -> Case:
    """The drill's incident; recording the same report again adds nothing, whatever became of the incident since."""
    first, *more = drafts_of(report, folder, runbook=runbook, risks=risks)
    return store.open(first, *more, once=True)


def drafts_of(
    report: DrillReport, folder: Path, *, runbook: str = "", risks: Sequence[Entry] = ()
) -> tuple[Draft, ...]:
    """The events of the drill reported in `folder`, the opening first. `runbook` is the page of its failure mode,
    `risks` are those that its experiment tests.

    Raises SreError on a report whose severity is not one of the four.
    """
    return tuple(_Telling(report, folder).drafts(runbook, risks))


@dataclass(frozen=True, slots=True)
class _Telling:
    report: DrillReport
    folder: Path

    def drafts(self, runbook: str, risks: Sequence[Entry]) -> Iterator[Draft]:
        yield self._opened()
        yield from self._rows()
        yield from self._alerts()
        yield from self._marks()
        yield from self._severity()
        yield self._measured()
        yield from self._links(runbook, risks)
        yield from self._status()

    def _opened(self) -> Draft:
        report = self.report
        subject = report.subject
        service = ", ".join(dict.fromkeys(r.slo.service for r in report.primary_results() if r.slo.service))
        opened = Opened(
            title=report.title,
            origin="drill",
            severity=self._grade(),
            key=report.id,
            service=service,
            experiment=report.experiment if subject is None else subject.id,
        )
        return self._draft(self._began(), opened, f"drill {report.id}: {report.title}")

    def _rows(self) -> Iterator[Draft]:
        for row in self.report.incident.timeline:
            yield self._draft(row.at, Observed(row.kind, row.evidence or row.source), row.text, row.source)

    def _alerts(self) -> Iterator[Draft]:
        told = [
            (at, state, result, alert)
            for result in self.report.primary_results()
            for alert in result.alerts
            for state, at in (("firing", alert.fired_at), ("resolved", alert.reset_at))
            if at is not None
        ]
        for at, state, result, alert in sorted(told, key=lambda one: (one[0], one[1], one[3].slo, one[3].tier)):
            seen = _seen(result, alert, is_firing=state == "firing")
            yield self._draft(at, seen, f"{seen.name} {state}: {seen.summary}", result.source)

    def _marks(self) -> Iterator[Draft]:
        for mark in self._milestones():
            at = self.report.ended_at if mark.at is None else mark.at
            said = f"{mark.name} n/a: {mark.reason}" if mark.at is None else mark.name
            payload = MilestoneMark(mark.name, mark.at, mark.uncertainty_s, mark.reason or "")
            yield self._draft(at, payload, said, mark.source)

    def _milestones(self) -> Iterator[Milestone]:
        """A drill that nobody worked on is resolved by its recovery."""
        known = {mark.name: mark for mark in self.report.incident.milestones}
        for name, mark in known.items():
            recovered = known.get("recovered", mark)
            if name == "resolved" and mark.at is None and recovered.at is not None:
                yield replace(recovered, name=name)
            else:
                yield mark

    def _severity(self) -> Iterator[Draft]:
        grade = self._grade()
        yield self._draft(self.report.ended_at, SeveritySet(grade, grade), f"{grade} by its impact", "incident.json")

    def _measured(self) -> Draft:
        figures, reasons = {}, {}
        for name, value, reason in (*_impact(self.report), *_money(self.report)):
            figures[name] = "" if value is None else str(value)
            if value is None:
                reasons[name] = reason
        text = f"{figures['requests_failed']} of {figures['requests']} requests failed"
        return self._draft(self.report.ended_at, Measured(figures, reasons), text)

    def _links(self, runbook: str, risks: Sequence[Entry]) -> Iterator[Draft]:
        place = f"{self.folder.absolute().parent.name}/{self.folder.absolute().name}"
        report = Linked("report", place, self.report.title, _sha256(self.folder / REPORT))
        yield self._draft(self.report.ended_at, report, f"report in {place}, {self.report.verdict}")
        experiment = Linked("drill", f"experiments/{self.report.experiment}", self.report.hypothesis)
        yield self._draft(self.report.ended_at, experiment, f"experiment {self.report.experiment}")
        if runbook:
            yield self._draft(self.report.ended_at, Linked("runbook", runbook), f"runbook {runbook}")
        for entry in risks:
            title = f"{entry.id}: {entry.risk.title}"
            yield self._draft(
                self.report.ended_at, Linked("risk", f"risks.yaml#{entry.id}", title), title, "risks.yaml"
            )

    def _status(self) -> Iterator[Draft]:
        if not self.report.faults:
            yield self._draft(self.report.ended_at, StatusSet("resolved"), "resolved: no fault was injected", LEDGER)
        recovered = next((m for m in self.report.incident.milestones if m.name == "recovered"), None)
        if recovered is not None and recovered.at is not None:
            text = "resolved: what the fault hit serves again"
            yield self._draft(recovered.at, StatusSet("resolved"), text, recovered.source)

    def _began(self) -> float:
        return min((fault.begin for fault in self.report.faults), default=self.report.started_at)

    def _grade(self) -> Severity:
        grade = self.report.incident.severity
        if grade not in get_args(Severity):
            raise SreError(f"{self.folder}: severity {grade!r} is none of {', '.join(get_args(Severity))}")
        return cast(Severity, grade)

    def _draft(self, at: float, payload: Payload, text: str, source: str = REPORT) -> Draft:
        return Draft(at, payload, text, source, ACTOR)


def _seen(result: SloResult, alert: Alert, *, is_firing: bool) -> AlertSeen:
    """Alertmanager's fingerprints tell alerts apart by their labels; so does this one."""
    told = f"{result.source}\n{alert.slo}\n{alert.tier}\n{alert.severity}"
    name = alert_name(result.slo)
    return AlertSeen(
        name=name,
        state="firing" if is_firing else "resolved",
        fingerprint=hashlib.sha256(told.encode()).hexdigest()[:16],
        started_at=alert.fired_at,
        ended_at=None if is_firing else alert.reset_at,
        slo=alert.slo,
        severity=alert.severity,
        runbook=f"runbooks/{name}.md",
        summary=f"{alert.slo} burns its budget, tier {alert.tier}",
    )


def _impact(report: DrillReport) -> Iterator[tuple[str, float | Decimal | None, str]]:
    impact = report.incident.impact
    yield "requests", impact.requests, ""
    yield "requests_failed", impact.failed, ""
    yield "requests_truncated", impact.truncated, ""
    yield "requests_rejected", impact.rejected, ""
    yield "requests_retried", impact.retried, ""
    yield "requests_degraded", impact.degraded, ""
    yield "tokens_delivered", impact.tokens_delivered, ""
    yield "tokens_in_failed", impact.tokens_in_failed, ""
    known = impact.window_start is not None and impact.window_end is not None
    length = (impact.window_end or 0.0) - (impact.window_start or 0.0)
    yield "impact_window_s", Decimal(f"{length:.3f}") if known else None, "there was no fault"
    facts = severity_facts(
        impact, report.incident.milestones, report.primary_results(), clock_factor=report.clock_factor
    )
    share = None if facts.budget_share is None else Decimal(f"{facts.budget_share:.6f}")
    yield "slo_budget_share", share, "no SLO of the primary source had data"


def _money(report: DrillReport) -> Iterator[tuple[str, float | Decimal | None, str]]:
    cost = report.cost
    currency = cost.price.currency.lower()
    missing = "; ".join(cost.notes) or "the report does not say why"
    yield f"cost_{currency}", cost.incident_total, missing
    yield f"platform_cost_{currency}", cost.total, missing
    yield "replica_billed_s", Decimal(f"{cost.billed_s:.3f}"), ""
    yield "replica_not_serving_s", Decimal(f"{cost.not_serving_s:.3f}"), ""
    yield "tokens", cost.tokens, missing
    yield "tokens_good", cost.good_tokens, missing
    yield "tokens_wasted", cost.wasted_tokens, missing
    yield f"good_tokens_{currency}_per_million", cost.per_million_good_tokens, missing


def _sha256(path: Path) -> str:
    """ "" where the folder was not finished."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""

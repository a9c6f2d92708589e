"""A drill as it could be seen at one instant: no chart and no log of an exercise may show what was still to come.

The fault's own records go as well: a player sees what the platform and its clients noticed, not what was done to them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from sre.incidents.model import Incident
from sre.reports.facts import first_fault
from sre.reports.model import DrillReport
from sre.slo.model import Alert, BurnCurve, SloResult
from sre.tabletop.scenario import Instant

_LOOK_S = 2.0
_HINDSIGHT = re.compile(r"[ ,]*\(?\d[\d,]* in all\)?")
_CALM_S = 1.0


@dataclass(frozen=True, slots=True)
class Instants:
    """The instants of a drill that injects show: `calm` before it, the `symptom`, the `alert` (None: none fired),
    `worst` while it lasts and before anybody mitigated, and when it was `over`. Unix seconds.
    """

    calm: float
    symptom: float
    alert: float | None
    worst: float
    over: float

    def at(self, name: Instant) -> float:
        """The instant called `name`; that of the symptom where no alert fired."""
        known = {"symptom": self.symptom, "alert": self.alert, "worst": self.worst, "over": self.over}
        found = known[name]
        return self.symptom if found is None else found


def instants_of(report: DrillReport) -> Instants:
    """The symptom is the first thing that was noticed, and a look of two seconds; nothing noticed: midway."""
    fault = first_fault(report)
    begin = report.started_at if fault is None else fault.begin
    end = report.ended_at if fault is None or fault.end is None else fault.end
    alert = first_alert(report)
    fired = None if alert is None else alert.fired_at
    noticed = [at for at in (_mark(report, "impact_start"), _mark(report, "detected"), fired) if at is not None]
    symptom = min(noticed) + _LOOK_S if noticed else (begin + end) / 2
    recovered = max(end, _mark(report, "recovered") or end, symptom)
    untouched = min((one.began_at for one in report.mitigations), default=recovered)
    return Instants(
        calm=begin - _CALM_S,
        symptom=symptom,
        alert=fired,
        worst=max(symptom, min(recovered - _CALM_S, untouched)),
        over=min(report.ended_at, max(recovered, report.ended_at - _CALM_S)),
    )


def first_alert(report: DrillReport) -> Alert | None:
    """The first page of the primary source after the fault began, else the first ticket."""
    fault = first_fault(report)
    begin = report.started_at if fault is None else fault.begin
    fired = [alert for result in report.primary_results() for alert in result.alerts if alert.fired_at >= begin]
    return min(fired, key=lambda one: (one.severity != "page", one.fired_at, one.slo, one.tier), default=None)


def seen_at(report: DrillReport, at: float) -> DrillReport:
    """The drill up to `at`. Requests still open then are left out: nobody knew yet how they would end."""
    return replace(
        report,
        ended_at=min(report.ended_at, at),
        faults=(),
        requests=tuple(point for point in report.requests if point.at + point.e2e_s <= at),
        spans=tuple(replace(span, end=min(span.end, at)) for span in report.spans if span.start < at),
        results=tuple(_result(result, at) for result in report.results),
        incident=_incident(report.incident, at),
    )


def first_tokens_at(report: DrillReport, at: float) -> DrillReport:
    """The same for first tokens: a request that still runs is in it once its first token has come."""
    points = (p for p in report.requests if p.ttft_s is not None and p.at + p.ttft_s <= at)
    return replace(
        seen_at(report, at), requests=tuple(replace(point, e2e_s=min(point.e2e_s, at - point.at)) for point in points)
    )


def _result(result: SloResult, at: float) -> SloResult:
    alerts = tuple(
        replace(alert, reset_at=None if alert.reset_at is None or alert.reset_at > at else alert.reset_at)
        for alert in result.alerts
        if alert.fired_at <= at
    )
    return replace(result, curves=tuple(_curve(curve, at) for curve in result.curves), alerts=alerts)


def _curve(curve: BurnCurve, at: float) -> BurnCurve:
    until = int(np.searchsorted(curve.times, at, side="right"))
    return replace(
        curve,
        times=curve.times[:until],
        long_burn=curve.long_burn[:until],
        short_burn=curve.short_burn[:until],
    )


def _incident(incident: Incident, at: float) -> Incident:
    shown = ("load", "impact", "platform", "recovery")
    told_by = ("chaos.jsonl", "journal.json")
    rows = (row for row in incident.timeline if row.at <= at and row.kind in shown and row.source not in told_by)
    known = (replace(row, text=_HINDSIGHT.sub("", row.text)) for row in rows if not row.text.startswith("last "))
    return replace(incident, timeline=tuple(known))


def _mark(report: DrillReport, name: str) -> float | None:
    return next((mark.at for mark in report.incident.milestones if mark.name == name), None)

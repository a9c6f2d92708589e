"""From a drill's report, or a case of the store, to what economics needs to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import groupby
from pathlib import Path

import numpy as np

from sre.cost.fleet_history import read_fleet
from sre.cost.incident import IncidentFacts
from sre.cost.incident_gpus import GpuUse, gpu_lines
from sre.cost.lost_requests import Answers, Limits, LostRequests, lost_requests
from sre.cost.measured import Measure, measured
from sre.cost.model import CostReport, Price, ReplicaUse
from sre.cost.statement import statement_of_drill
from sre.errors import NoData, SreError
from sre.incidents.model import FaultWindow
from sre.metrics.files import RecordedSamples
from sre.reports.facts import first_fault
from sre.reports.model import DrillReport, ReplicaSpan
from sre.slo.model import SloResult

MEAN_GAP_LIMIT_S = 0.05
_ENDS = ("mitigated", "recovered", "resolved")
_CLIENTS, SAMPLES = "requests.jsonl", "samples.jsonl"
_TTFT = "sre_gateway_ttft_seconds_bucket"


def gpu_use(report: DrillReport, folder: Path | None, price: Price | None = None) -> GpuUse:
    """The drill's GPUs at `price`, by default the one it was priced with. `folder` holds events and samples."""
    history = None if folder is None else read_fleet(folder, end=report.ended_at)
    uses = _uses_of(report.spans) if history is None else history.uses
    paid = report.cost.price if price is None else price
    return GpuUse(_layered(report, folder), uses, history, paid, _samples(folder))


def _samples(folder: Path | None) -> RecordedSamples | None:
    return RecordedSamples(folder / SAMPLES) if folder is not None and (folder / SAMPLES).is_file() else None


def _layered(report: DrillReport, folder: Path | None) -> CostReport:
    """The cost with its layers, computed from the samples where the report was written without them. Files that cannot
    be read leave it without: the bill stands in the report itself.
    """
    if report.cost.layers is not None or folder is None or not (folder / SAMPLES).is_file():
        return report.cost
    try:
        return replace(report.cost, layers=statement_of_drill(folder).layers)
    except SreError:
        return report.cost


def drill_facts_for_cost(
    report: DrillReport, use: GpuUse, *, counts_recovery: bool = True, answers: Answers | None = None
) -> IncidentFacts:
    """The drill's incident. `answers` saves reading the requests again. Raises NoData when no fault was injected."""
    fault = first_fault(report)
    if fault is None:
        raise NoData(f"{report.id}: no fault was injected, so there was no incident")
    start, end = incident_window(report, fault)
    lost = lost_requests(answers or answers_of(report), limits_of(report), start=start, end=end)
    return IncidentFacts(
        id=report.id,
        title=report.title,
        start=start,
        end=end,
        failed=_count(lost.failed, lost, "failed requests"),
        rejected=_count(lost.rejected, lost, "rejected requests"),
        slow=_count(lost.slow, lost, "requests slower than the limits"),
        response=_response(report),
        gpu=gpu_lines(use, start=start, end=end, counts_recovery=counts_recovery),
        notes=_notes(report, start, end),
        called_nobody=_called_nobody(report, lost),
    )


def incident_window(report: DrillReport, fault: FaultWindow) -> tuple[float, float]:
    """From the first fault to the last of: faults are over, failures have ended, the target serves again."""
    marks = [m.at for m in report.incident.milestones if m.name in _ENDS and m.at is not None]
    ends = [report.ended_at if one.end is None else one.end for one in report.faults]
    return fault.begin, min(report.ended_at, max([*ends, *marks]))


def limits_of(report: DrillReport) -> Limits:
    """From when on an answer was slow: the first token by the SLO's own threshold, gaps by the gateway's default."""
    found = next((limit for r in report.primary_results() if (limit := _threshold(r)) is not None), None)
    source = "slo/ttft.yaml" if found is not None else "no SLO of the first token"
    return Limits(found, MEAN_GAP_LIMIT_S, f"{source}; mean gap {MEAN_GAP_LIMIT_S:g} s, the gateway's default")


def _threshold(result: SloResult) -> float | None:
    for selector in getattr(result.slo.sli, "good", ()):
        if getattr(selector, "name", "") == _TTFT:
            for matcher in selector.matchers:
                if matcher.label == "le":
                    return float(matcher.value)
    return None


def answers_of(report: DrillReport) -> Answers:
    """How each of the drill's requests ended, by the client's own records."""
    rows, n = report.requests, len(report.requests)
    ttft = np.fromiter((np.nan if row.ttft_s is None else row.ttft_s for row in rows), np.float64, n)
    lasted = np.fromiter((row.e2e_s for row in rows), np.float64, n)
    tokens = np.fromiter((row.output_tokens for row in rows), np.float64, n)
    gaps = np.divide(lasted - ttft, tokens - 1, out=np.full(n, np.nan), where=tokens > 1)
    ended = np.fromiter((row.at for row in rows), np.float64, n) + lasted
    return Answers(ended, np.array([row.outcome for row in rows], dtype=np.str_), ttft, gaps)


def _count(count: int, lost: LostRequests, unit: str) -> Measure:
    return measured(Decimal(count), f"{unit} of {lost.total:,} that ended meanwhile", _CLIENTS)


def _called_nobody(report: DrillReport, lost: LostRequests) -> str:
    """A fault that neither paged nor failed a request is mended by the platform alone."""
    at = {m.name: m.at for m in report.incident.milestones}
    if lost.failed or lost.rejected or at.get("alerted") is not None or at.get("acknowledged") is not None:
        return ""
    return "no request failed and no page fired, so nobody would have been called"


def _response(report: DrillReport) -> Measure:
    at = {m.name: m.at for m in report.incident.milestones}
    begin, end = at.get("acknowledged"), at.get("resolved")
    if begin is None or end is None:
        return Measure(None, "h", "incident.json", "nobody acknowledged it")
    return measured(Decimal(str(round((end - begin) / 3600, 6))), "h", "incident.json: acknowledged to resolved")


def _notes(report: DrillReport, start: float, end: float) -> tuple[str, ...]:
    window = (
        f"Requests and GPUs are counted over {end - start:.1f} s: from the fault until it was over, failures had ended"
    )
    notes = [f"{window} and the target served again."]
    if report.platform.driver == "local":
        notes.append("A drill on one machine: its counts are of its own load, not of production's.")
    if _response(report).value is None:
        notes.append("Nobody responded to this drill; labour, where there is any, is what such an incident would take.")
    return tuple(notes)


def _uses_of(spans: Sequence[ReplicaSpan]) -> tuple[ReplicaUse, ...]:
    """Process lives from the spans of a chart: `down` parts them."""
    uses: list[ReplicaUse] = []
    for replica, own in groupby(sorted(spans, key=lambda s: (s.replica, s.start)), key=lambda s: s.replica):
        life: ReplicaUse | None = None
        for span in own:
            if span.state == "down" or (life is not None and span.state == "starting"):
                uses += [life] if life is not None else []
                life = None
            if span.state == "down":
                continue
            ready = span.start if span.state == "ready" else None
            if life is None:
                life = ReplicaUse(replica, span.start, ready, span.end)
            else:
                life = ReplicaUse(replica, life.start, ready if life.ready_at is None else life.ready_at, span.end)
        uses += [life] if life is not None else []
    return tuple(sorted(uses, key=lambda use: (use.start, use.replica)))


def recovery_s(report: DrillReport) -> float | None:
    """Seconds from the fault until its target served again; None where that was not seen."""
    fault = first_fault(report)
    at = {m.name: m.at for m in report.incident.milestones}.get("recovered")
    return None if fault is None or at is None else at - fault.begin

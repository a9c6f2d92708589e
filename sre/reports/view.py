"""A report as a reader sees it: banner, figures and tables of plain text, the same for HTML and Markdown.

Renderers decide how a thing looks, never what it says: wording and rounding is done here and in the modules beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sre.incidents.model import TimelineEvent
from sre.reports import cost_view, facts, slo_view
from sre.reports.formats import NOT_AVAILABLE, clock, date_time, number, offset, seconds
from sre.reports.links import anchor_of, linked
from sre.reports.model import Check, DrillReport, Verdict
from sre.reports.table import Row, Table, table

_VERDICTS: dict[Verdict, tuple[str, str]] = {
    "passed": ("Passed", "the fault was proven and every check held"),
    "deviated": ("Deviated", "the fault was proven and not every check held"),
    "void": ("Void", "the fault was not proven: nothing below says how the platform bears it"),
    "aborted": ("Aborted", "the drill was stopped by its guard"),
    "interrupted": ("Interrupted", "the drill was stopped by hand"),
    "error": ("Error", "the drill itself failed: nothing below says how the platform bears the fault"),
}
POST_INCIDENT = "post-incident.html"
_ALWAYS_WRITTEN = ("manifest.json", "report.html", "report.json", "report.md")
_ARTEFACTS = {
    "report.html": "this report, one file, opens offline",
    "report.md": "the same report as Markdown",
    "report.json": "every number behind it; the other two can be rendered from it again",
    "manifest.json": "sha256 and size of every file; check with: sre report verify",
    "journal.json": "Chaos Toolkit's own record of the experiment",
    "requests.jsonl": "one record a request, the client's view",
    "workload.json": "what load was offered",
    "incident.json": "the incident record: timeline, milestones, impact",
    "cost.json": "the cost report",
    "events.jsonl": "what the supervisor saw of the processes",
    "chaos.jsonl": "the fault ledger",
    "chaos.log": "all that Chaos Toolkit said, debug lines included",
    "samples.jsonl": "the metric samples the SLOs were computed from",
    "post-incident.html": "the post-incident report: summary, impact, causes, lessons, actions, evidence",
    "post-incident.md": "the post-incident report as Markdown",
    "post-incident.json": "the post-incident report as data: sre report lint reads it",
    "post-incident.pdf": "the post-incident report on paper",
    "finops.html": "the FinOps briefing: what it cost and what it is worth",
    "finops.md": "the FinOps briefing as Markdown",
    "finops.json": "the FinOps briefing as data",
}
_PAGES = {"post-incident.html": "Post-incident report", "finops.html": "FinOps briefing"}


@dataclass(frozen=True, slots=True)
class ReportView:
    """Everything a renderer shows except the charts. `tone` is `good`, `bad` or `unsure`."""

    title: str
    subtitle: str
    tone: Literal["good", "bad", "unsure"]
    verdict: str
    verdict_meaning: str
    reasons: tuple[str, ...]
    hypothesis: str
    summary: tuple[str, ...]
    figures: tuple[facts.Figure, ...]
    tables: tuple[Table, ...]
    limits: tuple[str, ...]
    artefacts: Table
    footer: str
    pages: tuple[tuple[str, str], ...] = ()
    """Title and file of the other pages in the folder."""


def view(report: DrillReport, artefacts: Sequence[str] = ()) -> ReportView:
    """`artefacts` are the files that lie beside the report; the ones every report has are added."""
    word, meaning = _VERDICTS[report.verdict]
    tone: Literal["good", "bad", "unsure"] = "good" if report.verdict == "passed" else "unsure"
    return ReportView(
        title=report.title,
        subtitle=f"{report.id}, {date_time(report.started_at)}, {seconds(report.ended_at - report.started_at)} long",
        tone="bad" if report.verdict in ("deviated", "error") else tone,
        verdict=word,
        verdict_meaning=meaning,
        reasons=(*report.verdict_reasons, *_known(report)),
        hypothesis=report.hypothesis,
        summary=facts.summary(report),
        figures=facts.figures(report),
        tables=(
            _checks(report),
            _faults(report),
            slo_view.objectives(report),
            slo_view.alerts(report),
            _milestones(report),
            _timeline(report, artefacts),
            _latency(report),
            cost_view.cost(report.cost),
            _workload(report),
            _platform(report),
        ),
        limits=report.limits,
        artefacts=_artefact_table(artefacts),
        pages=tuple((title, name) for name, title in _PAGES.items() if name in artefacts),
        footer=f"Source of the SLO figures: {report.primary_source}. Times are UTC.",
    )


def _known(report: DrillReport) -> tuple[str, ...]:
    """That it was no surprise, where it was none."""
    subject = report.subject
    return (f"known weakness {subject.risk}: {subject.weakness}",) if report.is_known and subject is not None else ()


def _checks(report: DrillReport) -> Table:
    rows = [Row((_mark(c), c.name, c.expected, c.observed), "good" if c.ok else "bad") for c in report.checks]
    return table("checks", "Checks", ("", "check", "expected", "observed"), rows, empty="No checks were made.")


def _mark(check: Check) -> str:
    """A doubt concerns the measurement, not the platform: it does not decide the verdict."""
    if check.ok:
        return "✓ ok"
    return "✗ failed" if check.deciding else "? doubt"


def _faults(report: DrillReport) -> Table:
    rows = [
        Row(
            (
                f.fault,
                f.target,
                clock(f.begin),
                NOT_AVAILABLE if f.end is None else clock(f.end),
                "not over" if f.end is None else seconds(f.end - f.begin),
                "✓ yes" if f.proven else "✗ no",
                f.proof,
            ),
            "good" if f.proven else "bad",
        )
        for f in report.faults
    ]
    head = ("fault", "target", "begin (UTC)", "end (UTC)", ">lasted", "proven", "proof")
    return table("faults", "Faults injected", head, rows, empty="No fault was injected.")


def _milestones(report: DrillReport) -> Table:
    zero = facts.zero(report)
    elapsed = {d.end: d for d in report.incident.durations if d.start == "fault_injected"}
    rows = []
    for mark in report.incident.milestones:
        since = elapsed.get(mark.name)
        measured = NOT_AVAILABLE if since is None or since.seconds is None else seconds(since.seconds)
        rows.append(
            Row(
                (
                    mark.name.replace("_", " "),
                    NOT_AVAILABLE if mark.at is None else clock(mark.at),
                    offset(mark.at, report.started_at),
                    "0" if mark.name == "fault_injected" and mark.at == zero else measured,
                    f"± {seconds(mark.uncertainty_s)}" if mark.at is not None and mark.uncertainty_s else "",
                    mark.source,
                    mark.reason or "",
                ),
                "muted" if mark.at is None else "",
            )
        )
    head: tuple[str, ...] = (
        "milestone",
        "at (UTC)",
        ">since drill start",
        ">since fault began",
        ">uncertainty",
        "source",
        "why n/a",
    )
    if all(mark.at is not None for mark in report.incident.milestones):
        head, rows = head[:-1], [replace(row, cells=row.cells[:-1]) for row in rows]
    return table("milestones", "Milestones", head, rows)


def _timeline(report: DrillReport, artefacts: Sequence[str]) -> Table:
    zero = facts.zero(report)
    rows = [
        Row(
            (clock(e.at), offset(e.at, zero), e.kind, e.text, e.evidence or e.source),
            f"kind-{e.kind}",
            href=_evidence_href(e, artefacts),
        )
        for e in report.incident.timeline
    ]
    since = "fault" if facts.has_fault(report) else "start"
    head = ("at (UTC)", f">since {since}", "kind", "what", "evidence")
    return table("timeline", "Timeline", head, rows, empty="No events were recorded.")


def _evidence_href(event: TimelineEvent, artefacts: Sequence[str]) -> str:
    """To the record itself, quoted in the post-incident report; else to the file it stands in."""
    if POST_INCIDENT in artefacts:
        return f"{POST_INCIDENT}#{anchor_of(event.evidence or event.source, None if event.evidence else event.at)}"
    name = (event.evidence or event.source).split("#")[0].split(":")[0]
    return name if name in artefacts else ""


def _latency(report: DrillReport) -> Table:
    rows = [
        Row((row.signal, row.phase, f"{row.n:,}", seconds(row.p50), seconds(row.p95), seconds(row.p99)))
        for row in report.latency
    ]
    notes = ("Client side. A request belongs to the phase in which it was sent. n/a: no request behind it.",)
    head = ("signal", "phase", ">n", ">p50", ">p95", ">p99")
    return table("latency", "Latency by phase", head, rows, notes=notes)


def _workload(report: DrillReport) -> Table:
    load = report.workload
    fixed = (
        ("source", load.source),
        ("offered rate", f"{number(load.rate_rps)} requests/s"),
        ("duration", seconds(load.duration_s)),
        ("seed", "none" if load.seed is None else str(load.seed)),
    )
    detailed = {label for label, _ in load.lines}
    pairs = (*(pair for pair in fixed if pair[0] not in detailed), *load.lines)
    return table("workload", "Workload", ("", ""), [Row(pair) for pair in pairs])


def _platform(report: DrillReport) -> Table:
    p = report.platform
    memory = NOT_AVAILABLE if p.memory_mb is None else f"{p.memory_mb:,.0f} MB"
    pairs = (
        ("experiment", report.experiment),
        ("driver", p.driver),
        ("server", p.server),
        ("engine", p.engine),
        ("profile", p.profile),
        ("time scale", f"{number(p.time_scale)}x real time"),
        ("replicas", ", ".join(p.replicas) or "none"),
        ("start-up", seconds(p.startup_s)),
        ("memory", memory),
        ("host", p.host),
        *report.tool_versions,
    )
    return table("platform", "Platform", ("", ""), [Row(pair) for pair in pairs])


def _artefact_table(names: Sequence[str]) -> Table:
    rows = [
        Row((name, _ARTEFACTS.get(name, "")), first_href=linked(name) if name in _PAGES else "")
        for name in sorted({*names, *_ALWAYS_WRITTEN})
    ]
    return table("artefacts", "Files of this report", ("file", "what it is"), rows)

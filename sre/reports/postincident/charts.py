"""The report's charts: the story's milestones, then the drill's own charts with these milestones marked on them."""

from __future__ import annotations

from sre.reports.burn_chart import burn_chart
from sre.reports.charts import requests_chart
from sre.reports.facts import availability
from sre.reports.model import DrillReport
from sre.reports.postincident.model import PostIncidentReport
from sre.reports.postincident.strip_chart import strip_chart
from sre.reports.svg import Chart, drawing

_MARKED = ("impact start", "detected", "alerted", "mitigated", "recovered")


def post_incident_charts(report: PostIncidentReport, drill: DrillReport | None) -> tuple[Chart, ...]:
    """In reading order; those there is data for."""
    strip = strip_chart(report)
    drawn = [strip] if strip is not None else []
    if drill is not None:
        marks = [(row.name, row.at) for row in report.milestones if row.name in _MARKED and row.at is not None]
        with drawing():
            found = (
                requests_chart(drill, marks=marks, name="outcomes"),
                burn_chart(drill, objectives=_objectives(drill), marks=marks, name="burnt"),
            )
        drawn += [chart for chart in found if chart is not None]
    return tuple(drawn)


def _objectives(drill: DrillReport) -> tuple[str, ...]:
    """Availability and what the experiment is about: the other panels are in report.html."""
    found = availability(drill)
    about = () if drill.subject is None else drill.subject.slos
    return tuple(dict.fromkeys((*((found.slo.name,) if found is not None else ()), *about)))

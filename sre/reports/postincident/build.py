"""From a stored case, and the drill where it was one, to the whole report. Pure: nothing is read or timed here."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sre.cost.provenance import CostSum
from sre.incidents.approvals import APPROVERS, Approver
from sre.incidents.case import Case
from sre.incidents.causes.model import CauseRanking
from sre.incidents.events import SeveritySet
from sre.reports.formats import date_time, seconds
from sre.reports.model import DrillReport
from sre.reports.postincident.actions import actions
from sre.reports.postincident.cost_tables import cost_tables
from sre.reports.postincident.detection import detection
from sre.reports.postincident.impact import cost_total, impact
from sre.reports.postincident.lessons import lessons
from sre.reports.postincident.model import CostTable, Figure, PostIncidentReport, Related, Sourced, Tone
from sre.reports.postincident.questions import questions
from sre.reports.postincident.signing import approval_rows
from sre.reports.postincident.story import Story, event_source, report_source, story
from sre.reports.postincident.summary import summary
from sre.reports.postincident.timeline import durations, milestones, timeline
from sre.reports.postincident.trigger import causes as trigger_and_causes

_ORIGINS = {"drill": "drill", "alertmanager": "alert", "manual": "opened by hand", "tabletop": "tabletop"}
_DRILL_COST = "GPUs that served nobody, tokens for failed requests"
_PATH = re.compile(r"[\w-][\w.-]*(?:/[\w.-]+)*(?:#[\w-]+)?")
_HEAD = (
    *("requests failed", "tokens lost", "cost", "time to detect", "time to alert", "time to mitigate"),
    *("time to recover", "time to resolve"),
)


def post_incident(
    case: Case,
    *,
    drill: DrillReport | None = None,
    causes: CauseRanking | None = None,
    costs: Sequence[CostSum] = (),
    related: Sequence[Related] = (),
    roles: Sequence[Approver] = APPROVERS,
    workspace: str = "../../",
) -> PostIncidentReport:
    """The report without quotes of its evidence: `sre.reports.postincident.quotes` adds them from the folder.

    `costs` are the sums that are shown, the first one quoted at the top. `related` are risks, runbooks and other pages
    beside those that the case links to, whose paths `workspace` leads to from the report. What its approvals are worth
    is told when it is `sealed` with its evidence.
    """
    told = story(case, drill)
    tables = cost_tables(costs)
    found = trigger_and_causes(told, causes)
    harm, times, marks = impact(told, tables), durations(told), milestones(told)
    begin, end = told.span
    zero, zero_name = told.zero
    return PostIncidentReport(
        id=case.head.id,
        title=case.head.title,
        origin=case.head.origin,
        status=case.head.status,
        severity=_severity(told),
        is_drill=drill is not None,
        tone=_tone(told),
        subtitle=_subtitle(told, end - begin),
        began_at=begin,
        ended_at=end,
        zero=zero,
        zero_name=zero_name,
        summary=summary(told, tables),
        figures=_head_figures(told, harm, times, tables),
        impact=harm,
        milestones=marks,
        durations=times,
        timeline=timeline(told),
        detection=detection(told),
        causes=found,
        lessons=lessons(told),
        actions=actions(told, found),
        costs=tables,
        questions=questions(told, figures=harm, milestones=marks, causes=found, costs=tables),
        approvals=tuple(approval_rows(case.events, roles)),
        related=_related(told, related, workspace),
        limits=() if drill is None else drill.limits,
        anchor=_anchor(told),
    )


def _severity(told: Story) -> Sourced:
    said = next((e for e in reversed(told.case.events) if isinstance(e.payload, SeveritySet)), None)
    if said is not None and isinstance(said.payload, SeveritySet) and said.payload.reason:
        return Sourced(told.case.head.severity, (event_source(said, said.payload.reason),))
    if said is None and told.drill is not None:
        return Sourced(told.case.head.severity, (report_source("incident/severity"),))
    return Sourced(told.case.head.severity, (event_source(said or told.opened),))


def _tone(told: Story) -> Tone:
    """Good when it is over and users lost nothing; bad when they lost something; else unsure."""
    if told.drill is not None:
        return "bad" if told.drill.incident.impact.failed else "good" if told.drill.verdict == "passed" else "unsure"
    failed = told.figure("requests_failed")
    if failed is None or not failed.is_known:
        return "unsure"
    return "good" if failed.text == "0" else "bad"


def _subtitle(told: Story, span_s: float) -> str:
    head = told.case.head
    when, span = date_time(head.opened_at), _lasted(told, span_s)
    parts = [head.id, _ORIGINS[head.origin], head.service, head.experiment, when, span]
    return ", ".join(part for part in parts if part)


def _lasted(told: Story, span_s: float) -> str:
    """From the zero to its end where that is known; else how long its records go on."""
    zero, _ = told.zero
    ends = [at for name in ("recovered", "resolved") if (at := told.at(name)) is not None and at > zero]
    return f"lasted {seconds(min(ends) - zero)}" if ends else f"records span {seconds(span_s)}"


def _head_figures(
    told: Story, harm: Sequence[Figure], times: Sequence[Figure], tables: Sequence[CostTable]
) -> tuple[Figure, ...]:
    """What an executive reads: harm, budget, times, money; four or eight of them."""
    wanted = {figure.label: figure for figure in (*harm, *times)}
    spent = next((figure for figure in harm if figure.label.startswith("budget spent")), None)
    total = cost_total(told, tables)
    if total is not None:
        wanted["cost"] = Figure("cost", total, tables[0].spread if tables else _DRILL_COST)
    known = [wanted[label] for label in _HEAD if label in wanted]
    found = [*known[:2], *((spent,) if spent is not None else ()), *known[2:]]
    optional = [figure for figure in found if not figure.value.is_known]
    while len(found) > 8 and optional:
        found.remove(optional.pop())
    return tuple(found[:8])


def _related(told: Story, more: Sequence[Related], workspace: str) -> tuple[Related, ...]:
    links = [link for link in told.case.links if link.rel != "report"]
    linked = [Related(link.rel, link.title or link.target, _from_workspace(link.target, workspace)) for link in links]
    alerts = [(f"runbook of {a.name}", a.runbook) for a in told.case.alerts if a.runbook]
    pages = [Related("runbook", title, _from_workspace(target, workspace)) for title, target in alerts]
    found = {(one.rel, one.target): one for one in (*pages, *linked, *more)}
    return tuple(sorted(found.values(), key=lambda one: (one.rel, one.title, one.target)))


def _from_workspace(target: str, workspace: str) -> str:
    """Paths in the store are the workspace's; addresses and what is no path stay as they are."""
    return f"{workspace}{target}" if _PATH.fullmatch(target) else target


def _anchor(told: Story) -> str:
    """The chain at the newest event this is built from: `position:hash`. Where the report itself lies adds nothing."""
    last = told.events[-1]
    return f"{last.position}:{last.hash}" if last.hash else ""

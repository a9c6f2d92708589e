"""What the incident store gives to a briefing: costs of its cases, follow-ups with owner and due day, sign-offs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from sre.cost.finance import Finance
from sre.cost.incident import IncidentFacts, incident_cost
from sre.cost.measured import Measure, measured, unknown
from sre.incidents.approvals import APPROVERS, title_of
from sre.incidents.case import Case, Item
from sre.reports.finops_model import CaseMoney, FollowUp, SignOff

ROLES = tuple(one.title for one in APPROVERS)
_DONE = ("done", "dropped")


def case_facts(case: Case) -> IncidentFacts:
    """An incident of the store by its newest figures and milestones. Figures nobody wrote are unknown."""
    head = case.head
    marks = head.milestones
    start = marks.get("impact_start", marks.get("fault_injected", head.opened_at))
    end = max(marks.get(name, start) for name in ("mitigated", "recovered", "resolved"))
    failed, rejected = _figure(case, "requests_failed"), _figure(case, "requests_rejected")
    return IncidentFacts(
        id=head.id,
        title=head.title,
        start=start,
        end=end,
        failed=_without(failed, rejected),
        rejected=rejected,
        slow=_figure(case, "requests_degraded"),
        response=response_of(case),
        called_nobody=_called_nobody(case, failed),
        gpu=(unknown("GPUs that served nobody", "the store has no replica times", is_billed=True, source=head.id),),
    )


def _figure(case: Case, name: str) -> Measure:
    text, source = case.head.figures.get(name, ""), f"{case.head.id}: {name}"
    unit = name.replace("_", " ")
    try:
        value = Decimal(text)
    except InvalidOperation:
        return Measure(None, unit, source, case.reasons.get(name) or f"nobody recorded {name}: `sre incident measure`")
    return measured(value, unit, source)


def _without(failed: Measure, rejected: Measure) -> Measure:
    """Failed requests hold the rejected ones; each is lost once."""
    if failed.value is None or rejected.value is None:
        return failed
    return measured(max(Decimal(0), failed.value - rejected.value), "failed requests", failed.source)


def _called_nobody(case: Case, failed: Measure) -> str:
    """Of a drill alone: whatever else is in the store came from an alert or a person."""
    called = {"alerted", "acknowledged"} & case.head.milestones.keys()
    if case.head.origin != "drill" or called or failed.value != 0:
        return ""
    return "no request failed and no page fired, so nobody would have been called"


def response_of(case: Case) -> Measure:
    """Acknowledged to resolved in hours, as the store has it; unknown where either is missing."""
    marks = case.head.milestones
    begin, end = marks.get("acknowledged"), marks.get("resolved")
    if begin is None or end is None or end < begin:
        return Measure(None, "h", case.head.id, "it was not acknowledged and resolved")
    return measured(Decimal(str(round((end - begin) / 3600, 6))), "h", f"{case.head.id}: acknowledged to resolved")


def with_response(facts: IncidentFacts, case: Case) -> IncidentFacts:
    """A drill's facts with the people of its case: whoever acknowledged it was called."""
    response = response_of(case)
    called = "acknowledged" in case.head.milestones
    return replace(
        facts,
        id=case.head.id,
        response=response if response.value is not None else facts.response,
        called_nobody="" if called else facts.called_nobody,
    )


def case_money(case: Case, finance: Finance) -> CaseMoney:
    """Without credits: those are the period's."""
    head = case.head
    found = incident_cost(case_facts(case), finance, with_credits=False)
    return CaseMoney(head.id, head.title, head.origin, head.severity, head.opened_at, found)


def follow_ups(items: Sequence[Item], *, today: str) -> tuple[FollowUp, ...]:
    """Open ones first, by due day; done and dropped ones after."""
    ordered = sorted(items, key=lambda i: (i.status in _DONE, i.due or "9999", i.incident, i.item))
    return tuple(FollowUp(i.incident, i.item, i.title, i.owner, i.due, i.status, i.is_overdue(today)) for i in ordered)


def sign_offs(cases: Sequence[Case]) -> tuple[SignOff, ...]:
    """The newest sign-off of each role; the roles that have to sign and have not, with an empty name."""
    found: dict[str, SignOff] = {role: SignOff(role, "", "", None, "", "") for role in ROLES}
    for case in cases:
        stamps = [event for event in case.events if type(event.payload).__name__ == "Approved"]
        for event, approved in zip(stamps, case.approvals, strict=True):
            role = title_of(approved.role)
            found[role] = SignOff(role, approved.name, approved.decision, event.at, approved.document, approved.sha256)
    return tuple(found.values())

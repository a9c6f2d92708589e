"""Who approved the after-action report, and whether it was this very document: approvals are bound to its sha256."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sre.incidents.case import Case
from sre.incidents.events import Approved, Event
from sre.reports.formats import date_time
from sre.tabletop.model import Approval


@dataclass(frozen=True, slots=True)
class ApprovalState:
    """`state` is `approved`, `rejected`, `missing`, or `outdated` when it was given to an earlier version."""

    role: str
    title: str
    confirms: str
    state: str
    name: str
    when: str
    comment: str


def approval_states(case: Case, required: Sequence[Approval], sha256: str) -> tuple[ApprovalState, ...]:
    """One row for each required role; the newest word of a role counts."""
    given = {event.payload.role: event for event in case.events if isinstance(event.payload, Approved)}
    return tuple(_state(one, given.get(one.role), sha256) for one in required)


def all_approved(states: Sequence[ApprovalState]) -> bool:
    return bool(states) and all(one.state == "approved" for one in states)


def _state(required: Approval, event: Event | None, sha256: str) -> ApprovalState:
    common = (required.role, required.title, required.confirms)
    if event is None or not isinstance(event.payload, Approved):
        return ApprovalState(*common, "missing", "", "", "")
    given = event.payload
    state = given.decision if given.sha256 == sha256 else f"outdated ({given.decision} an earlier version)"
    return ApprovalState(*common, state, given.name, date_time(event.at), given.comment)

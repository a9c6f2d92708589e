"""Incidents nobody speaks of any more. Alertmanager says nothing of an alert that is silenced, inhibited, or forgotten
in a restart: such an incident neither goes on for certain nor ended. It is shown as stale; a person decides.

Kept as a figure of the incident, so that every list can show it without reading events.
"""

from __future__ import annotations

from sre.incidents.case import CaseHead
from sre.incidents.events import Draft, Measured
from sre.webhook.model import ACTOR

FIGURE = "stale_since_unix_s"
WORDS = "not heard of: silenced, inhibited, or forgotten by Alertmanager; not known to have ended"


def stale_since(head: CaseHead) -> float | None:
    """When an incident that is stale was last heard of; None for one that is not."""
    told = head.figures.get(FIGURE, "")
    return float(told) if told and head.status in ("open", "acknowledged") else None


def status_words(head: CaseHead) -> str:
    """An incident's status as a list shows it: `open, stale` while nobody speaks of it."""
    return head.status if stale_since(head) is None else f"{head.status}, stale"


def may_become_stale(head: CaseHead) -> bool:
    """Whether silence means anything: its alerts are not all over, and it is not marked already."""
    is_over = "alert_reset" in head.milestones
    goes_on = head.origin == "alertmanager" and head.status in ("open", "acknowledged")
    return goes_on and not is_over and not head.figures.get(FIGURE)


def went_silent(heard_at: float, *, now: float) -> Draft:
    """The event that marks it."""
    text = f"stale: no notification for {(now - heard_at) / 3600:.3g} h; {WORDS}"
    return Draft(now, Measured({FIGURE: f"{heard_at:.3f}"}), text, ACTOR, ACTOR)


def heard_again(now: float, source: str) -> Draft:
    """The event that takes the mark away."""
    text = "heard of again: no longer stale"
    return Draft(now, Measured({FIGURE: ""}, {FIGURE: "heard of again"}), text, source, ACTOR)

"""What a person may do to an incident as it stands. Pure: events out, or one line that says what to do instead.

open, acknowledged, mitigated, resolved, closed: forward, and steps may be left out, but only what is resolved is
closed, so that nobody files away what still hurts. Back to open only, with a reason; its ends are then n/a.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from sre.errors import SreError
from sre.incidents.case import Case
from sre.incidents.events import Draft, MilestoneMark, Payload, Severity, SeveritySet, Status, StatusSet

ORDER: tuple[Status, ...] = get_args(Status)
_ENDS = ("mitigated", "resolved", "closed")


@dataclass(frozen=True, slots=True)
class Saying:
    """Who says it, of which instant, and what they add. `source` is where it was said."""

    at: float
    actor: str
    source: str = "sre incident"
    reason: str = ""

    def draft(self, payload: Payload, text: str) -> Draft:
        return Draft(self.at, payload, text + (f": {self.reason}" if self.reason else ""), self.source, self.actor)


def move(case: Case, status: Status, saying: Saying) -> tuple[Draft, ...]:
    """The incident on to `status`, with the milestone of the same name. Raises SreError where that is no step on."""
    now, name = case.head.status, case.head.id
    if ORDER.index(status) <= ORDER.index(now):
        back = "" if now == "acknowledged" else f"; if it is not over, `sre incident reopen {name} --reason ...`"
        raise SreError(f"{name}: is {now} already{back}")
    if status == "closed" and now != "resolved":
        raise SreError(f"{name}: is {now}: resolve it first, `sre incident resolve {name}`")
    return (
        saying.draft(StatusSet(status, saying.reason), status),
        saying.draft(MilestoneMark(status, saying.at), status),
    )


def reopen(case: Case, saying: Saying) -> tuple[Draft, ...]:
    """Open again: it was not over. The milestones that said so are n/a from now on."""
    if case.head.status not in _ENDS:
        raise SreError(f"{case.head.id}: is {case.head.status}: it is not over, nothing has to be opened again")
    _require_reason(case, saying, "opening it again")
    again = f"opened again: {saying.reason}"
    taken_back = [saying.draft(MilestoneMark(name, None, 0.0, again), f"{name} n/a") for name in _marked(case)]
    return (saying.draft(StatusSet("open", saying.reason), "opened again"), *taken_back)


def _marked(case: Case) -> list[str]:
    return [name for name in _ENDS if name in case.head.milestones]


def grade(case: Case, severity: Severity, saying: Saying) -> tuple[Draft, ...]:
    """Another severity. One that differs from what the SLO impact says, or that nobody computed, needs a reason."""
    if severity == case.head.severity:
        raise SreError(f"{case.head.id}: is {severity} already")
    computed = computed_severity(case)
    if severity != computed:
        _require_reason(case, saying, f"{severity} instead of {computed or case.head.severity}")
    return (saying.draft(SeveritySet(severity, computed, saying.reason), f"{severity}, was {case.head.severity}"),)


def computed_severity(case: Case) -> Severity | None:
    """What the SLO impact said last; None where nobody computed it."""
    said: Sequence[Severity | None] = [e.payload.computed for e in case.events if isinstance(e.payload, SeveritySet)]
    return next((severity for severity in reversed(said) if severity is not None), None)


def _require_reason(case: Case, saying: Saying, what: str) -> None:
    if not saying.reason.strip():
        raise SreError(f'{case.head.id}: {what} needs a reason: add --reason "..."')

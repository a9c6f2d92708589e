"""What a briefing reads from the incident store: incidents of the period, follow-ups, sign-offs. Nothing is written."""

from __future__ import annotations

from collections.abc import Sequence

from sre.incidents.case import Case
from sre.incidents.events import Origin
from sre.incidents.store.model import IncidentStore
from sre.reports.finops_build import StoreFacts

_REAL: tuple[Origin, ...] = ("alertmanager", "manual")


def store_facts(
    store: IncidentStore, *, reports: Sequence[str] = (), since: float | None = None, until: float | None = None
) -> StoreFacts:
    """`reports` are ids of drills that are briefed on by their own reports: their cases give sign-offs only. Drills of
    the store without a report here are left out, since what they cost lies in their reports.
    """
    real = [store.case(head.id) for head in store.heads(origins=_REAL, since=since, until=until)]
    exercises = [store.case(head.id) for head in store.heads(origins=("tabletop",), since=since, until=until)]
    drills = [store.case(head.id) for key in reports if (head := store.by_key(key)) is not None]
    return StoreFacts(cases=tuple(reversed(real)), signed=_by_time([*real, *exercises, *drills]), items=store.items())


def _by_time(cases: Sequence[Case]) -> tuple[Case, ...]:
    return tuple(sorted(cases, key=lambda case: (case.head.opened_at, case.head.id)))

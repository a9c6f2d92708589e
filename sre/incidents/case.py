"""An incident as it stands: its events folded, oldest first. Pure; what the store lists and reports are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sre.incidents.events import (
    AlertSeen,
    Answered,
    Approved,
    Event,
    ItemSet,
    Linked,
    MilestoneMark,
    Origin,
    RunbookStep,
    Severity,
    Status,
)


@dataclass(frozen=True, slots=True)
class Item:
    """A follow-up action as its newest event leaves it, with the incident it came from."""

    incident: str
    item: str
    title: str
    owner: str
    start: str | None
    due: str | None
    status: str
    note: str = ""

    def is_overdue(self, today: str) -> bool:
        """Whether it is neither done nor dropped on the ISO day `today`, and was due before."""
        return self.status in ("open", "started") and self.due is not None and self.due < today


@dataclass(frozen=True, slots=True)
class CaseHead:
    """What a list shows of an incident. `milestones` are instants by name, n/a ones left out."""

    id: str
    title: str
    origin: Origin
    status: Status
    severity: Severity
    opened_at: float
    updated_at: float
    key: str = ""
    service: str = ""
    experiment: str = ""
    milestones: Mapping[str, float] = MappingProxyType({})
    figures: Mapping[str, str] = MappingProxyType({})
    events: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """One incident whole. `marks` hold the newest mark of each milestone with its source, in order of first marking."""

    head: CaseHead
    events: tuple[Event, ...]
    marks: Mapping[str, tuple[MilestoneMark, str]] = MappingProxyType({})
    alerts: tuple[AlertSeen, ...] = ()
    links: tuple[Linked, ...] = ()
    steps: tuple[RunbookStep, ...] = ()
    items: tuple[Item, ...] = ()
    answers: tuple[Answered, ...] = ()
    approvals: tuple[Approved, ...] = ()
    reasons: Mapping[str, str] = MappingProxyType({})


def fold(events: Sequence[Event]) -> Case:
    """The incident that `events` (all of one id, by `seq`, the first `Opened`) leave. Raises ValueError otherwise."""
    raise NotImplementedError


def item_of(incident: str, change: ItemSet) -> Item:
    """The follow-up action that a change leaves."""
    return Item(
        incident,
        change.item,
        change.title,
        change.owner,
        change.start,
        change.due,
        change.status,
        change.note,
    )

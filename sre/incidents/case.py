"""An incident as it stands: its events folded, oldest first. Pure; what the store lists and reports are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeVar

from sre.incidents.events import (
    AlertSeen,
    Answered,
    Approved,
    Event,
    ItemSet,
    Linked,
    Measured,
    MilestoneMark,
    Opened,
    Origin,
    Payload,
    RunbookStep,
    Severity,
    SeveritySet,
    Status,
    StatusSet,
)

P = TypeVar("P")


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
    """What a list shows of an incident. `milestones` are instants by name, n/a ones left out; `figures` are decimals as
    text by name, "" for n/a. `opened_at` is when it began for those who opened it, `updated_at` when its newest event
    was written down.
    """

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
    milestones: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    figures: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    events: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """One incident whole. `marks` hold the newest mark of each milestone with its source, `links` the newest of each
    relation and target, `items` the newest of each name, all in order of first mention. `alerts`, `steps`, `answers`
    and `approvals` are every one that was told, oldest first. `reasons` say of each n/a figure why.
    """

    head: CaseHead
    events: tuple[Event, ...]
    marks: Mapping[str, tuple[MilestoneMark, str]] = field(default_factory=lambda: MappingProxyType({}))
    alerts: tuple[AlertSeen, ...] = ()
    links: tuple[Linked, ...] = ()
    steps: tuple[RunbookStep, ...] = ()
    items: tuple[Item, ...] = ()
    answers: tuple[Answered, ...] = ()
    approvals: tuple[Approved, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def fold(events: Sequence[Event]) -> Case:
    """The incident that `events` (all of one id, by `seq`, the first `Opened`) leave. Raises ValueError otherwise."""
    head: CaseHead | None = None
    for event in events:
        head = advance(head, event)
    if head is None:
        raise ValueError("an incident has one event at least")
    told = [event.payload for event in events]
    marks = {e.payload.name: (e.payload, e.source) for e in events if isinstance(e.payload, MilestoneMark)}
    links = {(link.rel, link.target): link for link in _only(Linked, told)}
    items = {change.item: item_of(head.id, change) for change in _only(ItemSet, told)}
    return Case(
        head=head,
        events=tuple(events),
        marks=MappingProxyType(marks),
        alerts=_only(AlertSeen, told),
        links=tuple(links.values()),
        steps=_only(RunbookStep, told),
        items=tuple(items.values()),
        answers=_only(Answered, told),
        approvals=_only(Approved, told),
        reasons=_reasons(_only(Measured, told)),
    )


def advance(head: CaseHead | None, event: Event) -> CaseHead:
    """What one more event makes of a list's line; None before the first. `fold` and the store's lists both stand on
    it, so that they cannot differ. Raises ValueError where `event` does not continue `head`.
    """
    payload = event.payload
    if head is None:
        if not isinstance(payload, Opened) or event.seq != 1:
            raise ValueError(f"{event.incident}: its first event is not its opening")
        return _opened(event, payload)
    if event.incident != head.id or event.seq != head.events + 1 or isinstance(payload, Opened):
        raise ValueError(f"{event.incident}: event {event.seq} does not continue {head.id} after {head.events}")
    return replace(head, events=event.seq, updated_at=event.recorded_at, **_changes(head, payload))


def _opened(event: Event, first: Opened) -> CaseHead:
    return CaseHead(
        id=event.incident,
        title=first.title,
        origin=first.origin,
        status="open",
        severity=first.severity,
        opened_at=event.at,
        updated_at=event.recorded_at,
        key=first.key,
        service=first.service,
        experiment=first.experiment,
        events=1,
    )


def _changes(head: CaseHead, payload: Payload) -> dict[str, Any]:
    if isinstance(payload, StatusSet):
        return {"status": payload.status}
    if isinstance(payload, SeveritySet):
        return {"severity": payload.severity}
    if isinstance(payload, Measured):
        return {"figures": MappingProxyType({**head.figures, **payload.figures})}
    if isinstance(payload, MilestoneMark):
        known = {
            name: at for name, at in head.milestones.items() if name != payload.name or payload.instant is not None
        }
        if payload.instant is not None:
            known[payload.name] = payload.instant
        return {"milestones": MappingProxyType(known)}
    return {}


def _reasons(measured: Sequence[Measured]) -> Mapping[str, str]:
    """Of each figure that is n/a as its newest measurement leaves it."""
    reasons: dict[str, str] = {}
    for one in measured:
        for name in one.figures:
            reasons.pop(name, None)
        reasons.update(one.reasons)
    return MappingProxyType(reasons)


def _only(kind: type[P], payloads: Sequence[Payload]) -> tuple[P, ...]:
    return tuple(payload for payload in payloads if isinstance(payload, kind))


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

"""What the store and the drill know of one incident, read as one: milestones, durations and where each can be seen.

The store's newest mark of a milestone holds over the drill's, since people correct marks after a drill. Milestones of
older reports are found under the names they have today.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sre.incidents.case import Case
from sre.incidents.durations import case_durations, zero_of
from sre.incidents.events import Approved, Event, Linked, Measured, MilestoneMark
from sre.incidents.milestones import NAMES
from sre.incidents.model import Duration, Milestone
from sre.incidents.older import renamed
from sre.reports.drill_case import ACTOR
from sre.reports.model import DrillReport
from sre.reports.postincident.model import Source, Sourced


@dataclass(frozen=True, slots=True)
class Mark:
    """A milestone as it stands: its instant or why there is none."""

    name: str
    at: float | None
    source: Source
    reason: str = ""
    uncertainty_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Story:
    """`drill` is None for an incident of an alert or of a person."""

    case: Case
    drill: DrillReport | None
    marks: Mapping[str, Mark]
    durations: tuple[Duration, ...]

    def at(self, name: str) -> float | None:
        """The instant of a milestone; None when it is n/a or unknown."""
        mark = self.marks.get(name)
        return None if mark is None else mark.at

    def seconds(self, start: str, end: str) -> float | None:
        """From one milestone to another, None when either is unknown."""
        begin, finish = self.at(start), self.at(end)
        return None if begin is None or finish is None else finish - begin

    def sources(self, *names: str) -> tuple[Source, ...]:
        """Where these milestones were read; the opening event when none of them is known."""
        found = tuple(self.marks[name].source for name in names if name in self.marks)
        return tuple(dict.fromkeys(found)) or (event_source(self.opened),)

    def event_of(self, mark: Mark) -> Event | None:
        """The event of the store a milestone was read from; None where it is the drill's own record."""
        return next((e for e in self.case.events if event_source(e).where == mark.source.where), None)

    @property
    def told(self) -> tuple[Event, ...]:
        """Events that say more than the drill's own records, which are read instead."""
        if self.drill is None:
            return self.case.events
        return tuple(event for event in self.case.events if event.actor != ACTOR)

    @property
    def events(self) -> tuple[Event, ...]:
        """All but those that say where a report lies or who signed it: written after it, they would change it again."""
        return tuple(event for event in self.case.events if not _is_about_the_report(event))

    @property
    def opened(self) -> Event:
        return self.case.events[0]

    @property
    def zero(self) -> tuple[float, str]:
        """Where a reader counts from: the fault, else the first harm, detection or page, else the opening."""
        name = zero_of({name: mark.at for name, mark in self.marks.items()})
        at = None if name is None else self.at(name)
        return (self.opened.at, "opened") if name is None or at is None else (at, words(name))

    @property
    def span(self) -> tuple[float, float]:
        """From the first to the last instant that is known of it."""
        instants = [event.at for event in self.events]
        instants += [mark.at for mark in self.marks.values() if mark.at is not None]
        if self.drill is not None:
            instants += [self.drill.started_at, self.drill.ended_at]
        return min(instants), max(instants)

    def figure(self, name: str) -> Sourced | None:
        """A figure of the newest `Measured` event that has it; None when none has."""
        text = self.case.head.figures.get(name)
        if text is None:
            return None
        holders = (
            e for e in reversed(self.case.events) if isinstance(e.payload, Measured) and name in e.payload.figures
        )
        said = next(holders)
        reason = self.case.reasons.get(name) or "not measured"
        source = event_source(said, f"as {said.source} says" if said.source else "")
        return Sourced(text, (source,)) if text else Sourced("n/a", (source,), reason)


def story(case: Case, drill: DrillReport | None) -> Story:
    """Marks in the order in which milestones are expected; those of other names come last."""
    found = {} if drill is None else {mark.name: mark for mark in map(_drill_mark, renamed(drill.incident).milestones)}
    for mark in _case_marks(case):
        found[mark.name] = _better(found.get(mark.name), mark)
    ordered = [name for name in NAMES if name in found] + [name for name in found if name not in NAMES]
    marks = {name: found[name] for name in ordered}
    told = {m.name: (MilestoneMark(m.name, m.at, m.uncertainty_s, m.reason), m.source.where) for m in marks.values()}
    return Story(case, drill, MappingProxyType(marks), case_durations(told))


def words(name: str) -> str:
    """A milestone's or a figure's name as it is read."""
    return name.replace("_", " ")


def event_source(event: Event, how: str = "") -> Source:
    """An event of the store, by its incident and its place in it."""
    return Source(f"{event.incident}#{event.seq}", how)


def report_source(path: str, how: str = "") -> Source:
    """A value of `report.json`, by its JSON pointer without the leading slash."""
    return Source(f"report.json#/{path}", how)


def _is_about_the_report(event: Event) -> bool:
    payload = event.payload
    return isinstance(payload, Approved) or (isinstance(payload, Linked) and payload.rel == "report")


def _better(drilled: Mark | None, stored: Mark) -> Mark:
    """The store's, unless it only repeats what the drill's own record shows."""
    if drilled is not None and (drilled.at, drilled.reason) == (stored.at, stored.reason):
        return drilled
    return stored


def _drill_mark(mark: Milestone) -> Mark:
    source = Source(mark.evidence) if mark.evidence else Source(mark.source, at=mark.at)
    return Mark(mark.name, mark.at, source, mark.reason or "", mark.uncertainty_s)


def _case_marks(case: Case) -> Iterator[Mark]:
    said = {e.payload.name: e for e in case.events if isinstance(e.payload, MilestoneMark)}
    for name, (mark, where) in case.marks.items():
        event = said.get(name)
        source = Source(where or "the store", at=mark.instant) if event is None else event_source(event, _says(where))
        yield Mark(name, mark.instant, source, mark.reason, mark.uncertainty_s)


def _says(where: str) -> str:
    return f"as {where} says" if where else ""

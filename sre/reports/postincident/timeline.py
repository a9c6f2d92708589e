"""Every row of the timeline: the drill's records and the store's events in one order, each with its evidence."""

from __future__ import annotations

from collections.abc import Iterator

from sre.incidents.events import (
    AlertSeen,
    Answered,
    Approved,
    Event,
    ItemSet,
    Linked,
    Measured,
    MilestoneMark,
    Observed,
    Opened,
    RunbookStep,
    SeveritySet,
    StatusSet,
)
from sre.incidents.model import TimelineEvent
from sre.reports.formats import NOT_AVAILABLE, clock, offset, seconds
from sre.reports.postincident.model import Figure, MilestoneRow, Source, Sourced, TimelineRow
from sre.reports.postincident.story import Story, event_source, words

_QUIET = (MilestoneMark, Measured, Linked, Answered, Approved)
"""Kinds that are no happening of their own: they stand in tables. An approval must not change what it approves."""
_KINDS: tuple[tuple[type, str], ...] = (
    (Opened, "record"),
    (StatusSet, "status"),
    (SeveritySet, "severity"),
    (AlertSeen, "alert"),
    (RunbookStep, "runbook"),
    (ItemSet, "action"),
)
_SAME_S = 0.0005
_Row = tuple[float, str, str, tuple[Source, ...]]


def timeline(story: Story) -> tuple[TimelineRow, ...]:
    """By time. What the drill wrote into the store is shown once, from the drill's own records."""
    recorded = () if story.drill is None else story.drill.incident.timeline
    rows: list[_Row] = [(e.at, e.kind, e.text, _sources(e)) for e in recorded]
    told = {(round(at, 3), text) for at, _, text, _ in rows}
    for event in story.told:
        row = _event_row(event)
        if row is not None and (round(row[0], 3), row[2]) not in told:
            rows.append(row)
    zero, _ = story.zero
    return tuple(
        TimelineRow(at, clock(at), since(at, zero), kind, Sourced(text, sources), _reached(story, at))
        for at, kind, text, sources in sorted(rows, key=lambda row: (row[0], row[1], row[2]))
    )


def milestones(story: Story) -> tuple[MilestoneRow, ...]:
    """All of them, n/a with the reason."""
    zero, _ = story.zero
    return tuple(
        MilestoneRow(
            name=words(mark.name),
            at=mark.at,
            when=_when(mark.at, mark.source, mark.reason),
            since=since(mark.at, zero) if mark.at is not None else "",
            doubt=f"± {seconds(mark.uncertainty_s)}" if mark.at is not None and mark.uncertainty_s else "",
        )
        for mark in story.marks.values()
    )


def since(at: float, zero: float) -> str:
    """`+12.30 s`, or `+33 min 0 s` where seconds would be many digits."""
    elapsed = at - zero
    if abs(elapsed) < 600:
        return offset(at, zero)
    return f"{'-' if elapsed < 0 else '+'}{seconds(abs(elapsed))}"


def durations(story: Story) -> tuple[Figure, ...]:
    """Named from-to; n/a with the reason; what is odd about one stands beside it."""
    return tuple(_durations(story))


def _durations(story: Story) -> Iterator[Figure]:
    for one in story.durations:
        sources = story.sources(one.start, one.end)
        if one.seconds is None:
            value = Sourced(NOT_AVAILABLE, sources, one.reason or "not known")
        else:
            value = Sourced(seconds(one.seconds), sources)
        note = f"{words(one.start)} to {words(one.end)}"
        yield Figure(words(one.name), value, f"{note}; {one.flag}" if one.flag else note)


def _sources(event: TimelineEvent) -> tuple[Source, ...]:
    return (Source(event.evidence),) if event.evidence else (Source(event.source, at=event.at),)


def _event_row(event: Event) -> _Row | None:
    payload = event.payload
    if isinstance(payload, _QUIET):
        return None
    sources = (event_source(event),)
    if isinstance(payload, Observed):
        found = (Source(payload.evidence), *sources) if payload.evidence else sources
        return event.at, payload.kind, event.text, found
    kind = next(word for known, word in _KINDS if isinstance(payload, known))
    return event.at, kind, event.text or _text_of(payload), sources


def _text_of(payload: object) -> str:
    if isinstance(payload, StatusSet):
        return f"{payload.status}: {payload.reason}" if payload.reason else payload.status
    if isinstance(payload, AlertSeen):
        return f"{payload.name} {payload.state}"
    return type(payload).__name__


def _reached(story: Story, at: float) -> tuple[str, ...]:
    return tuple(words(m.name) for m in story.marks.values() if m.at is not None and abs(m.at - at) < _SAME_S)


def _when(at: float | None, source: Source, reason: str) -> Sourced:
    if at is None:
        return Sourced(NOT_AVAILABLE, (source,), reason or "not marked")
    return Sourced(clock(at), (source,))

"""What stands out in the supervisor's events: exits, replacements, starts that take too long.

Only the events that a rule names are looked at. That a path was changed for a fault's proxy is in the same file, and no
rule may name it: a real incident has no such event.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from sre.incidents.causes.definitions import SymptomRule
from sre.incidents.causes.symptoms import Symptom
from sre.incidents.model import PlatformEvent

_STRENGTH = 0.95


def event_symptoms(
    rules: Sequence[SymptomRule], events: Sequence[PlatformEvent], *, start: float, end: float
) -> Iterator[Symptom]:
    """Everything that the rules find in the events of [start, end]; earlier ones say how long a start takes."""
    ordered = sorted((e for e in events if e.at <= end), key=lambda e: (e.at, e.event, e.replica or ""))
    inside = [e for e in ordered if e.at >= start]
    for rule in rules:
        if rule.read == "start":
            yield from _slow_starts(rule, ordered, start, end)
        elif rule.read == "event":
            yield from _told(rule, inside)


def _told(rule: SymptomRule, events: Sequence[PlatformEvent]) -> Iterator[Symptom]:
    found = [e for e in events if e.event in rule.events and re.search(rule.note, e.note)]
    if rule.on == "fleet":
        yield from _of_fleet(rule, found)
        return
    for replica in sorted({e.replica for e in found if e.replica}):
        own = [e for e in found if e.replica == replica]
        if len(own) >= rule.times:
            yield _symptom(rule, own[rule.times - 1], (replica,), len(own))


def _of_fleet(rule: SymptomRule, found: Sequence[PlatformEvent]) -> Iterator[Symptom]:
    """The first stretch of `within_s` that holds enough of them."""
    for first in found:
        near = [e for e in found if first.at <= e.at <= first.at + rule.within_s]
        replicas = tuple(sorted({e.replica for e in near if e.replica}))
        if len(near) >= rule.times and len(replicas) >= (rule.replicas if rule.replicas > 1 else 0):
            yield _symptom(rule, first, replicas, len(near))
            return


def _symptom(rule: SymptomRule, event: PlatformEvent, replicas: tuple[str, ...], count: int) -> Symptom:
    text = rule.says.format(subject=", ".join(replicas), before=0, after=count)
    note = f" ({event.event}{', ' + event.note if event.note else ''})"
    return Symptom(rule.name, replicas, event.at, _STRENGTH, text + note, event.evidence or event.source)


def _slow_starts(rule: SymptomRule, events: Sequence[PlatformEvent], start: float, end: float) -> Iterator[Symptom]:
    """Replicas whose start took, or has taken so far, `least` times the median of all that ended, by another replica or
    in an earlier life.
    """
    starts = [(e, _ready_at(e, events)) for e in events if e.event == "replica_started" and e.replica]
    took = {id(e): ready - e.at for e, ready in starts if ready is not None}
    seen: set[str] = set()
    for event, ready in starts:
        usual = [seconds for key, seconds in took.items() if key != id(event)]
        if event.at < start or not usual or event.replica is None or event.replica in seen:
            continue
        needed, normal = (end if ready is None else ready) - event.at, float(np.median(usual))
        if needed >= rule.least * max(normal, 1.0):
            seen.add(event.replica)
            so_far = " so far" if ready is None else ""
            text = rule.says.format(subject=event.replica, before=f"{normal:.1f}", after=f"{needed:.1f}{so_far}")
            at = event.at + rule.least * normal
            yield Symptom(
                rule.name, (event.replica,), at, needed / (needed + normal), text, event.evidence or event.source
            )


def _ready_at(started: PlatformEvent, events: Sequence[PlatformEvent]) -> float | None:
    """When this start ended well; None when the replica exited before, or nothing more is told."""
    for event in events:
        if event.replica == started.replica and event.at > started.at:
            if event.event == "replica_ready":
                return event.at
            if event.event in ("replica_exited", "replica_started"):
                return None
    return None

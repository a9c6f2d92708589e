"""Replica states over time, from the supervisor's events."""

from __future__ import annotations

from collections.abc import Sequence

from sre.incidents.model import PlatformEvent
from sre.reports.model import ReplicaSpan

_STATE_AFTER = {
    "replica_started": "starting",
    "replica_ready": "ready",
    "replica_exited": "down",
    "replica_restart_scheduled": "down",
}


def replica_spans(events: Sequence[PlatformEvent], *, start: float, end: float) -> tuple[ReplicaSpan, ...]:
    """Spans clipped to [start, end), per replica in order of time; successive equal states are one span."""
    spans = []
    for replica in sorted({e.replica for e in events if e.replica}):
        changes = [(e.at, _STATE_AFTER[e.event]) for e in events if e.replica == replica and e.event in _STATE_AFTER]
        spans += _spans_of(replica, _without_repeats(sorted(changes)), start, end)
    return tuple(spans)


def _without_repeats(changes: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    kept: list[tuple[float, str]] = []
    for at, state in changes:
        if not kept or kept[-1][1] != state:
            kept.append((at, state))
    return kept


def _spans_of(replica: str, changes: Sequence[tuple[float, str]], start: float, end: float) -> list[ReplicaSpan]:
    spans = []
    for index, (at, state) in enumerate(changes):
        until = changes[index + 1][0] if index + 1 < len(changes) else end
        begin, finish = max(at, start), min(until, end)
        if begin < finish:
            spans.append(ReplicaSpan(replica, state, begin, finish))
    return spans

"""Whom the gateway gave work, from its own samples: it often notices a sick replica long before a process exits."""

from __future__ import annotations

from collections.abc import Iterator

from sre.errors import SreError
from sre.incidents.milestones import IN_ROTATION, OUT_OF_ROTATION
from sre.incidents.model import PlatformEvent
from sre.metrics.model import Matcher, SampleSource, Selector

STATE = "sre_gateway_replica_state"
SERVING = Selector(STATE, (Matcher("state", "=~", "up|half_open"),))


def rotation_events(source: SampleSource, *, start: float, end: float) -> tuple[PlatformEvent, ...]:
    """When each replica left rotation and came back, by the first sample that shows it; () where nobody recorded it."""
    try:
        found = source.series(SERVING, start=start, end=end)
    except SreError:
        return ()
    serving: dict[str, dict[float, bool]] = {}
    for series in found:
        at = serving.setdefault(str(series.id.label("replica") or ""), {})
        for time, value in zip(series.times.tolist(), series.values.tolist(), strict=True):
            at[time] = at.get(time, False) or value > 0
    events = [event for name, at in serving.items() for event in _changes(name, at, source.name)]
    return tuple(sorted(events, key=lambda event: (event.at, event.replica or "")))


def _changes(replica: str, serving: dict[float, bool], source: str) -> Iterator[PlatformEvent]:
    before = True
    for at in sorted(serving):
        if serving[at] != before:
            event = IN_ROTATION if serving[at] else OUT_OF_ROTATION
            yield PlatformEvent(at, event, replica, source=source, evidence=f'{STATE}{{replica="{replica}"}}')
        before = serving[at]

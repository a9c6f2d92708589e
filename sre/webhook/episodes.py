"""When each alert of an incident fires, folded from its events, and what one more notification adds to that.

An episode is one firing of one fingerprint, known by its start. Order is told by startsAt and endsAt, never by arrival:
an end at E closes every episode that began until E, and a firing that began until E is old news. One thing contradicts
that and is no old news: Alertmanager lets an alert end that Prometheus stopped sending, and when Prometheus comes back
the alert has its old start. So old news that is still told `late_s` after the end was written down opens it again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from sre.incidents.events import AlertSeen, Event
from sre.webhook.model import ToldAlert

Verdict = Literal["new", "again", "still", "resolved", "unseen", "duplicate", "late"]
"""`again`: a new episode after one that ended. `still`: fires although told to have ended. `resolved`: the end of a
known episode; `unseen`: of one that was never told to begin. `duplicate` and `late` add no episode.
"""
FIRES: frozenset[Verdict] = frozenset({"new", "again", "still"})


@dataclass(slots=True)
class _End:
    at: float
    written_at: float


@dataclass(slots=True)
class Episodes:
    """Live starts by fingerprint, and the newest end of each."""

    _live: dict[str, set[float | None]] = field(default_factory=dict)
    _ends: dict[str, _End] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[Event]) -> Episodes:
        found = cls()
        for event in events:
            if isinstance(event.payload, AlertSeen):
                found.take(event.payload, at=event.at, written_at=event.recorded_at)
        return found

    @property
    def any_live(self) -> bool:
        """Whether some alert is not known to have ended."""
        return any(self._live.values())

    def end_of(self, fingerprint: str) -> float | None:
        """The newest end told of it."""
        end = self._ends.get(fingerprint)
        return None if end is None else end.at

    @property
    def last_end(self) -> float | None:
        """The newest end of all."""
        return max((end.at for end in self._ends.values()), default=None)

    def judge(self, alert: ToldAlert, *, now: float, late_s: float) -> Verdict:
        """What the alert, as just told, adds to what is known."""
        return self._judge_end(alert, now) if alert.state == "resolved" else self._judge_firing(alert, now, late_s)

    def take(self, seen: AlertSeen, *, at: float, written_at: float) -> None:
        """Add an event that says something new."""
        live = self._live.setdefault(seen.fingerprint, set())
        end = self._ends.get(seen.fingerprint)
        if seen.state == "firing":
            if end is not None and (seen.started_at is None or seen.started_at <= end.at):
                del self._ends[seen.fingerprint]
            live.add(seen.started_at)
            return
        ended = _end_instant(seen.started_at, seen.ended_at, at)
        if end is None or end.at < ended:
            self._ends[seen.fingerprint] = _End(ended, written_at)
        self._live[seen.fingerprint] = {start for start in live if start is not None and start > ended}

    def _judge_firing(self, alert: ToldAlert, now: float, late_s: float) -> Verdict:
        live, end = self._live.get(alert.fingerprint, set()), self._ends.get(alert.fingerprint)
        if alert.started_at in live or (alert.started_at is None and live):
            return "duplicate"
        if end is None:
            return "new"
        if alert.started_at is None or alert.started_at > end.at:
            return "again"
        return "late" if now - end.written_at < late_s else "still"

    def _judge_end(self, alert: ToldAlert, now: float) -> Verdict:
        end = self._ends.get(alert.fingerprint)
        ended = _end_instant(alert.started_at, alert.ended_at, now)
        if any(start is None or start <= ended for start in self._live.get(alert.fingerprint, ())):
            return "resolved"
        if end is None or (alert.started_at is not None and alert.started_at > end.at):
            return "unseen"
        return "duplicate"


def _end_instant(started_at: float | None, ended_at: float | None, told_at: float) -> float:
    """A resolved alert without an end ended when that was told; none ends before it began."""
    end = told_at if ended_at is None else ended_at
    return end if started_at is None else max(end, started_at)

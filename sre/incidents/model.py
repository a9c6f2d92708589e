"""An incident: a timeline of facts with their sources, milestones kept raw, durations computed from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EventKind = Literal["load", "fault", "impact", "alert", "platform", "chaos", "recovery"]


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One fact. `source` names the file it was read from (`chaos.jsonl`, `events.jsonl`, `journal.json`, `samples` ...)."""

    at: float
    kind: EventKind
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Milestone:
    """A named instant, or n/a (`at` None) with the reason. `uncertainty_s` is how coarse the observation is."""

    name: str
    at: float | None
    source: str
    reason: str | None = None
    uncertainty_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Duration:
    """`start` to `end` are milestone names. `seconds` is None, with a reason, when either is missing."""

    name: str
    start: str
    end: str
    seconds: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Impact:
    """What clients lost, from the load generator's records."""

    requests: int
    failed: int
    truncated: int
    rejected: int
    retried: int
    tokens_delivered: int
    tokens_in_failed: int


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident record."""

    id: str
    title: str
    fault: str
    target: str
    severity: str
    timeline: tuple[TimelineEvent, ...]
    milestones: tuple[Milestone, ...]
    durations: tuple[Duration, ...]
    impact: Impact

    def milestone(self, name: str) -> Milestone:
        """The milestone called `name`; KeyError when the record has none."""
        for milestone in self.milestones:
            if milestone.name == name:
                return milestone
        raise KeyError(name)

    def duration(self, name: str) -> Duration:
        for duration in self.durations:
            if duration.name == name:
                return duration
        raise KeyError(name)

"""How far a session is, folded from its events: the same for one that runs, one resumed, one that was typed in later.

The session's clock runs while a `running` event is the newest of its kind. After a crash nobody wrote `paused`; then it
counts up to the last event that was written, because nobody knows more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from sre.incidents.events import Answered, Event, Observed
from sre.tabletop.model import Rating

RUNNING, PAUSED, ENDED = "clock#running", "clock#paused", "clock#ended"
INJECT, PARTICIPANT = "package.json#", "participant"


@dataclass(frozen=True, slots=True)
class Said:
    """An answer to an inject: by whom, at which second of the session."""

    inject: str
    by: str
    text: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Rated:
    """A rating of an inject or objective, with the evaluator's remark."""

    about: str
    rating: Rating
    remark: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the session's own timeline."""

    at: float
    at_s: float
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """`elapsed_s` is the session's time at `known_at` (Unix seconds); `speed` 0 while the clock stands. `ratings` hold
    the newest of each inject or objective.
    """

    elapsed_s: float = 0.0
    known_at: float = 0.0
    speed: float = 0.0
    released: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    skipped: tuple[str, ...] = ()
    answers: tuple[Said, ...] = ()
    ratings: Mapping[str, Rated] = field(default_factory=lambda: MappingProxyType({}))
    participants: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    is_started: bool = False
    is_ended: bool = False

    def elapsed_at(self, now: float) -> float:
        """Session seconds at `now`."""
        return self.elapsed_s + max(0.0, now - self.known_at) * self.speed

    @property
    def is_running(self) -> bool:
        return self.speed > 0

    def is_open(self, inject: str) -> bool:
        """Whether it is still to come."""
        return inject not in self.released and inject not in self.skipped


def progress_of(events: Iterable[Event]) -> Progress:
    """Where the events of a session leave it."""
    now = Progress()
    for event in events:
        now = advance(now, event)
    return now


def advance(now: Progress, event: Event) -> Progress:
    """What one more event makes of it."""
    payload = event.payload
    starts = isinstance(payload, Observed) and payload.evidence.startswith(RUNNING)
    at_s = now.elapsed_s if starts else now.elapsed_at(event.at)
    then = replace(now, elapsed_s=at_s, known_at=max(event.at, now.known_at))
    if isinstance(payload, Answered):
        return _answered(then, event, payload, at_s)
    if isinstance(payload, Observed):
        return _observed(then, event, payload, at_s)
    return then


def _answered(now: Progress, event: Event, payload: Answered, at_s: float) -> Progress:
    if payload.rating is None:
        said = Said(payload.inject, event.actor, payload.text, at_s)
        row = Row(event.at, at_s, event.actor, f"answers {payload.inject}: {payload.text}")
        return replace(now, answers=(*now.answers, said), rows=(*now.rows, row))
    rated = Rated(payload.inject, payload.rating, payload.text, at_s)
    return replace(now, ratings=MappingProxyType({**now.ratings, payload.inject: rated}))


def _observed(now: Progress, event: Event, payload: Observed, at_s: float) -> Progress:
    what, inject = payload.evidence, payload.evidence.removeprefix(INJECT)
    if what == PARTICIPANT:
        return replace(now, participants=(*now.participants, event.text))
    rows = (*now.rows, Row(event.at, at_s, event.actor, event.text))
    if what.startswith(RUNNING):
        _, _, speed = what.partition("@")
        return replace(now, speed=float(speed or 1.0), is_started=True, rows=rows)
    if what in (PAUSED, ENDED):
        return replace(now, speed=0.0, is_ended=now.is_ended or what == ENDED, rows=rows)
    if what.startswith(INJECT) and payload.kind == "action":
        return replace(now, released=MappingProxyType({**now.released, inject: at_s}), rows=rows)
    if what.startswith(INJECT) and payload.kind == "decision":
        return replace(now, skipped=(*now.skipped, inject), rows=rows)
    return replace(now, rows=rows)

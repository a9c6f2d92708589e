"""A session in the incident store: each thing that happens is an event, written at once, so that a crash loses nothing.

Time comes from a clock that is passed in. Answers and approvals stand in the same hash chain as incidents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sre.errors import SreError
from sre.incidents.case import Case
from sre.incidents.events import Answered, Draft, ItemSet, Linked, Observed, Opened, Origin, Payload
from sre.incidents.store.model import IncidentStore
from sre.tabletop.model import Exercise, Inject, Rating
from sre.tabletop.progress import ENDED, INJECT, PARTICIPANT, PAUSED, RUNNING, advance, progress_of

ORIGIN: Origin = "tabletop"
PACKAGE_LINK, REVIEW_LINK, PAGE_LINK = "exercise", "after-action", "after-action page"
_SOURCE = "package.json"


@dataclass(frozen=True, slots=True)
class Played:
    """The package that a session is bound to."""

    exercise: Exercise
    folder: str
    sha256: str


class Session:
    """One session, live. `facilitator` is who writes; what participants say carries their role as the actor."""

    def __init__(
        self, store: IncidentStore, case: Case, played: Played, *, facilitator: str, clock: Callable[[], float]
    ) -> None:
        self.id = case.head.id
        self.played = played
        self.progress = progress_of(case.events)
        self._items = len(case.items)
        self._store, self._facilitator, self._clock = store, facilitator, clock

    @property
    def exercise(self) -> Exercise:
        return self.played.exercise

    def now(self) -> float:
        return self._clock()

    def elapsed_s(self) -> float:
        """Session seconds since STARTEX, pauses left out."""
        return self.progress.elapsed_at(self.now())

    def run(self, speed: float = 1.0, *, at: float | None = None) -> None:
        """Start the session's clock, or let it go on."""
        word = "resumed" if self.progress.is_started else "STARTEX"
        self._observe("action", f"{RUNNING}@{speed:g}", word if speed == 1 else f"{word}, {speed:g} times as fast", at)

    def pause(self, *, at: float | None = None) -> None:
        self._observe("action", PAUSED, "paused", at)

    def end(self, *, at: float | None = None) -> None:
        self._observe("action", ENDED, "ENDEX", at)

    def due(self) -> tuple[Inject, ...]:
        """Injects whose time has come and that were neither released nor skipped."""
        minutes = self.elapsed_s() / 60
        return tuple(one for one in self.to_come() if one.at_min <= minutes) if self.progress.is_running else ()

    def to_come(self) -> tuple[Inject, ...]:
        return tuple(one for one in self.exercise.injects if self.progress.is_open(one.id))

    def newest(self) -> Inject | None:
        """The inject released last."""
        released = list(self.progress.released)
        return self.exercise.inject(released[-1]) if released else None

    def release(self, inject: Inject, *, at: float | None = None) -> None:
        text = f"{inject.id} released: {inject.title} ({inject.channel}, to {inject.receiver})"
        self._observe("action", f"{INJECT}{inject.id}", text, at)

    def skip(self, inject: Inject, *, at: float | None = None) -> None:
        self._observe("decision", f"{INJECT}{inject.id}", f"{inject.id} skipped: {inject.title}", at)

    def answer(self, inject: str, by: str, text: str, *, at: float | None = None) -> None:
        self._known(inject)
        self._write(Answered(inject, _clean(text)), f"{by} to {inject}: {text}", actor=by, at=at)

    def rate(self, about: str, rating: Rating, remark: str = "", *, at: float | None = None) -> None:
        """Rate an inject (`I03`) or an objective (`O2`); the newest rating holds."""
        if about not in {one.id for one in self.exercise.objectives}:
            self._known(about)
        text = f"{about} rated {rating}{f': {remark}' if remark else ''}"
        self._write(Answered(about, _clean(remark), rating), text, actor="evaluator", at=at)

    def note(self, text: str, *, by: str | None = None, at: float | None = None) -> None:
        self._observe("note", "", text, at, by=by)

    def join(self, name: str, role: str, *, at: float | None = None) -> None:
        """Note who took part."""
        self._observe("note", PARTICIPANT, f"{name} ({role})" if role else name, at)

    def item(self, title: str, owner: str, due: str | None, start: str | None, *, at: float | None = None) -> str:
        """Add an action to the improvement plan; returns its id."""
        self._items += 1
        item = f"A{self._items}"
        change = ItemSet(item, _clean(title), _clean(owner), start, due, "open", f"from session {self.id}")
        self._write(change, f"{item}: {title} ({owner})", actor=self._facilitator, at=at)
        return item

    def _known(self, inject: str) -> None:
        ids = [one.id for one in self.exercise.injects]
        if inject not in ids:
            raise SreError(f"{inject}: this exercise has no such inject: it has {ids[0]} to {ids[-1]}")

    def _observe(self, kind: str, evidence: str, text: str, at: float | None, *, by: str | None = None) -> None:
        self._write(Observed(kind, evidence), text, actor=by or self._facilitator, at=at)

    def _write(self, payload: Payload, text: str, *, actor: str, at: float | None) -> None:
        draft = Draft(self.now() if at is None else at, payload, _clean(text), _SOURCE, _clean(actor))
        for event in self._store.append(self.id, [draft]):
            self.progress = advance(self.progress, event)


def _clean(text: str) -> str:
    """What people typed, without control characters: a terminal shows it later."""
    return "".join(c if c.isprintable() else " " for c in text).strip()


def open_session(store: IncidentStore, played: Played, *, facilitator: str, at: float) -> Case:
    """A new TTX-id, bound to the package by its hash. The clock stands."""
    exercise = played.exercise
    title = f"{exercise.name}: tabletop of {exercise.experiment}"
    opened = Opened(title, ORIGIN, "SEV4", experiment=exercise.experiment)
    link = Linked(PACKAGE_LINK, played.folder, exercise.name, played.sha256)
    return store.open(
        Draft(at, opened, title, _SOURCE, facilitator),
        Draft(at, link, f"plays {exercise.name}, sha256 {played.sha256[:12]}", _SOURCE, facilitator),
    )


def package_of(case: Case) -> Linked:
    """The package that a session plays. Raises SreError for what is no session."""
    for link in case.links:
        if link.rel == PACKAGE_LINK and case.head.origin == ORIGIN:
            return link
    raise SreError(f"{case.head.id}: is no tabletop session: `sre tabletop list` shows them")


def check_same(case: Case, played: Played) -> None:
    """Raise SreError when the package is not the one that the session began with."""
    began = package_of(case).sha256
    if began != played.sha256:
        raise SreError(
            f"{case.head.id}: began with another package (sha256 {began[:12]}, this one has {played.sha256[:12]}): "
            "give the folder it began with"
        )

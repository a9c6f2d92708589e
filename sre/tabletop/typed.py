"""A session that was written down on paper and typed in afterwards: one YAML file, read strictly.

Minutes count from STARTEX. What has no minute is put at the time that its inject was planned for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import cast

from sre.errors import BadDocument
from sre.slo.documents import Faults, Node, read_documents
from sre.tabletop.model import RATINGS, ROLE_IDS, Exercise, Rating
from sre.tabletop.session import Session

_TOP = ("started", "facilitator", "participants", "answers", "ratings", "notes", "items", "skipped", "ended_after_min")
_TEXT = "write text"


@dataclass(frozen=True, slots=True)
class TypedAnswer:
    inject: str
    by: str
    text: str
    minute: float | None
    rating: Rating | None
    remark: str


@dataclass(frozen=True, slots=True)
class TypedItem:
    title: str
    owner: str
    start: str | None
    due: str | None


@dataclass(frozen=True, slots=True)
class TypedSession:
    """`started` is STARTEX as Unix time. `ratings` are of injects and objectives: (id, rating, remark)."""

    started: float
    facilitator: str
    participants: tuple[tuple[str, str], ...]
    answers: tuple[TypedAnswer, ...]
    ratings: tuple[tuple[str, Rating, str], ...]
    notes: tuple[tuple[float, str], ...]
    items: tuple[TypedItem, ...]
    skipped: tuple[str, ...]
    ended_after_min: float


def read_typed(path: Path, exercise: Exercise) -> TypedSession:
    """Raises BadDocument with every fault, `file:line: what: mend`; injects and roles are checked as well."""
    documents = read_documents(path)
    if len(documents) != 1:
        raise BadDocument([f"{path}: holds {len(documents)} documents: write one, with started and answers"])
    reader = _Reader(path, exercise)
    typed = reader.session(documents[0])
    if reader.faults.found:
        raise BadDocument(reader.faults.found)
    return typed


def record_typed(session: Session, typed: TypedSession) -> None:
    """Write it into the session, in order of time."""
    start = typed.started
    for name, role in typed.participants:
        session.join(name, role, at=start)
    session.run(at=start)
    for at, _, write in sorted(_steps(session, typed), key=lambda step: step[:2]):
        write(at=at)
    end = start + typed.ended_after_min * 60
    session.end(at=max(end, session.progress.known_at))
    day = datetime.fromtimestamp(start, UTC).date().isoformat()
    for item in typed.items:
        session.item(item.title, item.owner, item.due, item.start or day, at=session.progress.known_at)


def _steps(session: Session, typed: TypedSession) -> Iterator[tuple[float, int, Callable[..., None]]]:
    """(time, order at the same time, what to write): an inject before what was said to it."""
    start = typed.started
    for inject in session.exercise.injects:
        said = [answer for answer in typed.answers if answer.inject == inject.id]
        minutes = [answer.minute for answer in said if answer.minute is not None]
        planned = min([float(inject.at_min), *minutes])
        skipped = inject.id in typed.skipped
        yield start + planned * 60, 0, partial(session.skip if skipped else session.release, inject)
        for answer in said:
            minute = planned if answer.minute is None else answer.minute
            yield start + minute * 60, 1, partial(_answer, session, answer)
    for minute, text in typed.notes:
        yield start + minute * 60, 2, partial(session.note, text)
    for about, rating, remark in typed.ratings:
        yield start + typed.ended_after_min * 60, 3, partial(session.rate, about, rating, remark)


def _answer(session: Session, answer: TypedAnswer, *, at: float) -> None:
    if answer.text:
        session.answer(answer.inject, answer.by, answer.text, at=at)
    if answer.rating is not None:
        session.rate(answer.inject, answer.rating, answer.remark, at=at)


class _Reader:
    """After a fault it goes on, so that later faults are found too."""

    def __init__(self, path: Path, exercise: Exercise) -> None:
        self.faults = Faults(path)
        self._exercise = exercise
        self._injects = [one.id for one in exercise.injects]
        self._rated = [*self._injects, *(one.id for one in exercise.objectives)]

    def session(self, root: Node) -> TypedSession:
        top = self.faults.mapping(root, _TOP)
        ended = top.get("ended_after_min")
        whole = float(self._exercise.play_min)
        return TypedSession(
            started=self._time(self.faults.required(root, "started", "write STARTEX, as 2026-11-25T14:00:00Z")),
            facilitator=self.faults.text(top.get("facilitator"), _TEXT) or "facilitator",
            participants=tuple(self._participant(node) for node in self._list(top.get("participants"))),
            answers=tuple(
                self._answer(node) for node in self._list(self.faults.required(root, "answers", "list them"))
            ),
            ratings=tuple(self._ratings(top.get("ratings"))),
            notes=tuple(self._note(node) for node in self._list(top.get("notes"))),
            items=tuple(self._item(node) for node in self._list(top.get("items"))),
            skipped=tuple(self._one_of(node, self._injects) for node in self._list(top.get("skipped"))),
            ended_after_min=whole if ended is None else self._minute(ended) or whole,
        )

    def _answer(self, node: Node) -> TypedAnswer:
        fields = self.faults.mapping(node, ("inject", "by", "text", "minute", "rating", "remark"))
        inject = self._one_of(self.faults.required(node, "inject", "name one"), self._injects)
        by = self._one_of(fields.get("by"), ROLE_IDS) or self._receiver(inject)
        rating = self._one_of(fields.get("rating"), RATINGS)
        if "text" not in fields and "rating" not in fields:
            self.faults.add(node, "says nothing: write a text, a rating, or both")
        minute = fields.get("minute")
        return TypedAnswer(
            inject=inject,
            by=by,
            text=self.faults.text(fields.get("text"), _TEXT),
            minute=None if minute is None else self._minute(minute),
            rating=cast(Rating, rating) if rating else None,
            remark=self.faults.text(fields.get("remark"), _TEXT),
        )

    def _receiver(self, inject: str) -> str:
        return self._exercise.inject(inject).receiver if inject else ""

    def _participant(self, node: Node) -> tuple[str, str]:
        fields = self.faults.mapping(node, ("name", "role"))
        name = self.faults.text(self.faults.required(node, "name", _TEXT), _TEXT)
        return name, self.faults.text(fields.get("role"), _TEXT)

    def _ratings(self, node: Node | None) -> Iterator[tuple[str, Rating, str]]:
        if node is None:
            return
        for about, child in self.faults.mapping(node, self._rated).items():
            if child.fields is None:
                rating, remark = self._one_of(child, RATINGS), ""
            else:
                fields = self.faults.mapping(child, ("rating", "remark"))
                rating = self._one_of(self.faults.required(child, "rating", "P, S, M or U"), RATINGS)
                remark = self.faults.text(fields.get("remark"), _TEXT)
            yield about, cast(Rating, rating), remark

    def _note(self, node: Node) -> tuple[float, str]:
        fields = self.faults.mapping(node, ("minute", "text"))
        minute = fields.get("minute")
        text = self.faults.text(self.faults.required(node, "text", _TEXT), _TEXT)
        return (0.0 if minute is None else self._minute(minute) or 0.0), text

    def _item(self, node: Node) -> TypedItem:
        fields = self.faults.mapping(node, ("title", "owner", "start", "due"))
        title, owner = (self.faults.text(self.faults.required(node, key, _TEXT), _TEXT) for key in ("title", "owner"))
        return TypedItem(title, owner, self._day(fields.get("start")), self._day(fields.get("due")))

    def _minute(self, node: Node) -> float | None:
        number = self.faults.number(node, "write minutes after STARTEX")
        if number is not None and not 0 <= number <= self._exercise.minutes * 4:
            self.faults.add(node, f"is {number:g}: write minutes after STARTEX, 0 to {self._exercise.minutes * 4}")
        return number

    def _time(self, node: Node | None) -> float:
        text = self.faults.text(node, "write a time, as 2026-11-25T14:00:00Z")
        try:
            moment = datetime.fromisoformat(text) if text else datetime.fromtimestamp(0, UTC)
        except ValueError:
            moment = datetime.fromtimestamp(0, UTC)
            if node is not None:
                self.faults.add(node, f"is {node.kind}: write a time, as 2026-11-25T14:00:00Z")
        if moment.tzinfo is None and node is not None:
            self.faults.add(node, "names no time zone: end it with Z, or with +01:00")
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()

    def _day(self, node: Node | None) -> str | None:
        text = self.faults.text(node, "write a day, as 2026-12-31")
        try:
            return date.fromisoformat(text).isoformat() if text else None
        except ValueError:
            if node is not None:
                self.faults.add(node, f"is {node.kind}: write a day, as 2026-12-31")
            return None

    def _one_of(self, node: Node | None, known: list[str] | tuple[str, ...]) -> str:
        return self.faults.one_of(node, known, f"use one of {', '.join(known)}")

    def _list(self, node: Node | None) -> tuple[Node, ...]:
        return self.faults.list_of(node, "write a list")

"""A session played live: injects come when their time has come, and what is typed is written down.

Screen and keyboard are one `Desk`, so that a test can sit at it; the session's clock is passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, cast

from sre.errors import SreError
from sre.tabletop.commands import Command, item_parts, parse
from sre.tabletop.model import Inject, Rating
from sre.tabletop.session import Session

_LOOK_S = 1.0


class Desk(Protocol):
    """Where the facilitator sits."""

    def show(self, session: Session, inject: Inject) -> None:
        """An inject with its artefacts."""
        ...

    def say(self, text: str) -> None: ...

    def help(self) -> None: ...

    def read(self, prompt: Callable[[], str], timeout_s: float) -> str | None:
        """A line; None when the time is over. Raises EOFError when nobody will type any more."""
        ...


def play(session: Session, desk: Desk, *, speed: float = 1.0) -> None:
    """Until ENDEX, `quit` or the end of input; then the clock is paused and the session can be resumed."""
    if session.progress.is_ended:
        raise SreError(f"{session.id}: play has ended: sre tabletop close {session.id}")
    session.run(speed)
    try:
        while not session.progress.is_ended:
            for inject in session.due():
                _release(session, desk, inject)
            line = desk.read(lambda: prompt_of(session), _LOOK_S)
            if line is not None and not _obey(session, desk, line, speed):
                break
    except (EOFError, KeyboardInterrupt):
        desk.say("")
    if session.progress.is_running:
        session.pause()


def prompt_of(session: Session) -> str:
    """`12:30  next I04 in 2:30`."""
    elapsed = session.elapsed_s()
    coming = session.to_come()
    if not session.progress.is_running:
        return f"{_clock(elapsed)}  paused"
    if not coming:
        left = session.exercise.play_min * 60 - elapsed
        return f"{_clock(elapsed)}  all injects are out, {_clock(max(0.0, left))} of play left"
    return f"{_clock(elapsed)}  next {coming[0].id} in {_clock(max(0.0, coming[0].at_min * 60 - elapsed))}"


def _obey(session: Session, desk: Desk, line: str, speed: float) -> bool:
    """Whether to go on."""
    try:
        command = parse(line)
        if command.verb == "quit":
            return False
        _ACTIONS[command.verb](session, desk, command, speed)
    except SreError as error:
        desk.say(str(error))
    return True


def _next(session: Session, desk: Desk, _: Command, speed: float) -> None:
    coming = session.to_come()
    if not coming:
        desk.say("All injects are out: e ends play.")
        return
    if not session.progress.is_running:
        session.run(speed)
    _release(session, desk, coming[0])


def _pause(session: Session, desk: Desk, _: Command, speed: float) -> None:
    if session.progress.is_running:
        session.pause()
        desk.say("Paused: p goes on.")
    else:
        session.run(speed)


def _answer(session: Session, desk: Desk, command: Command, _: float) -> None:
    inject = _meant(session, command)
    session.answer(inject.id, command.by or inject.receiver, command.text)
    desk.say(f"noted for {inject.id}")


def _rate(session: Session, desk: Desk, command: Command, _: float) -> None:
    about = command.about or _meant(session, command).id
    session.rate(about, cast(Rating, command.by), command.text)
    desk.say(f"{about} rated {command.by}")


def _note(session: Session, desk: Desk, command: Command, _: float) -> None:
    session.note(f"{command.about} {command.text}".strip())
    desk.say("noted")


def _item(session: Session, desk: Desk, command: Command, _: float) -> None:
    title, owner, due = item_parts(command.text)
    today = datetime.fromtimestamp(session.now(), UTC).date().isoformat()
    desk.say(f"{session.item(title, owner, due, today)} is in the improvement plan")


def _skip(session: Session, desk: Desk, command: Command, _: float) -> None:
    coming = session.to_come()
    chosen = next((one for one in coming if not command.about or one.id == command.about), None)
    if chosen is None:
        raise SreError(f"{command.about or 'the next one'}: no such inject is still to come")
    session.skip(chosen)
    desk.say(f"{chosen.id} skipped")


def _view(session: Session, desk: Desk, command: Command, _: float) -> None:
    desk.show(session, _meant(session, command))


def _end(session: Session, desk: Desk, _: Command, __: float) -> None:
    session.end()
    desk.say(f"ENDEX. Hot wash: {session.exercise.hot_wash_min} minutes. Then: sre tabletop close {session.id}")


def _help(_: Session, desk: Desk, __: Command, ___: float) -> None:
    desk.help()


def _release(session: Session, desk: Desk, inject: Inject) -> None:
    session.release(inject)
    desk.show(session, inject)


def _meant(session: Session, command: Command) -> Inject:
    """The inject named, if it is out; else the newest."""
    if command.about:
        if command.about not in session.progress.released:
            raise SreError(f"{command.about}: is not out yet, or no inject of this exercise")
        return session.exercise.inject(command.about)
    newest = session.newest()
    if newest is None:
        raise SreError("no inject is out yet: Enter releases the first")
    return newest


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


_ACTIONS: dict[str, Callable[[Session, Desk, Command, float], None]] = {
    "next": _next,
    "pause": _pause,
    "answer": _answer,
    "rate": _rate,
    "note": _note,
    "item": _item,
    "skip": _skip,
    "view": _view,
    "end": _end,
    "help": _help,
}

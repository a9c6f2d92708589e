"""`sre tabletop run`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.gameday.options import Workspace
from sre.cli.options import Json
from sre.cli.tabletop.options import Edited, Store, opened, played, played_of, session_id, who

if TYPE_CHECKING:
    from sre.incidents.store.model import IncidentStore
    from sre.tabletop.session import Played, Session


def run(
    package: Annotated[
        Path | None, typer.Argument(help="Folder that `sre tabletop new` wrote; not needed with --resume.")
    ] = None,
    resume: Annotated[
        str | None, typer.Option("--resume", help="Go on with a session: TTX-0001, or 1.", parser=session_id)
    ] = None,
    answers: Annotated[
        Path | None, typer.Option("--answers", help="YAML file of a session that was written down; nothing is asked.")
    ] = None,
    speed: Annotated[float, typer.Option("--speed", help="Run the session's clock so many times as fast.")] = 1.0,
    control: Annotated[
        bool, typer.Option("--control", help="Show expected actions too: for a screen that players do not see.")
    ] = False,
    participants: Annotated[
        list[str] | None, typer.Option("--participant", help="NAME or NAME=ROLE, noted in the record; repeatable.")
    ] = None,
    store: Store = None,
    edited: Edited = False,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Play an exercise: a timer, injects at their time, answers and ratings into the incident store under a TTX id.

    Type ? for the keys. A session that was left or broke off goes on with --resume. With --answers a session that was
    kept on paper is typed in: started, participants, answers (inject, by, text, minute, rating), ratings, items.
    """
    from sre.errors import SreError

    if (package is None) == (resume is None):
        raise SreError("give either the folder of a package, or --resume TTX-0001")
    if resume is not None and answers is not None:
        raise SreError("--answers begins a session of its own: leave --resume out")
    if not 0 < speed <= 3600:
        raise SreError(f"--speed {speed:g}: give more than 0, at most 3600")
    begun = played(package or Path(), edited=edited) if resume is None else None
    with opened(store, workspace, makes=begun is not None) as kept:
        if begun is not None:
            session = _new(kept, begun, answers, participants or [])
        else:
            session = _session(kept, resume or "", played_of(kept.case(resume or ""), package))
        if answers is None:
            _play(session, speed=speed, control=control, asked=resume is not None, on_stderr=as_json)
        _finish(session, as_json=as_json)


def _new(store: IncidentStore, package: Played, answers: Path | None, participants: list[str]) -> Session:
    from sre.tabletop.session import open_session
    from sre.tabletop.typed import read_typed, record_typed

    if answers is not None:
        typed = read_typed(answers, package.exercise)
        case = open_session(store, package, facilitator=typed.facilitator, at=typed.started)
        session = _session(store, case.head.id, package, typed.facilitator)
        record_typed(session, typed)
        return session
    case = open_session(store, package, facilitator=who(), at=time.time())
    session = _session(store, case.head.id, package)
    for one in participants:
        name, _, role = one.partition("=")
        session.join(name.strip(), role.strip())
    return session


def _session(store: IncidentStore, session: str, package: Played, facilitator: str | None = None) -> Session:
    from sre.tabletop.session import Session

    return Session(store, store.case(session), package, facilitator=facilitator or who(), clock=time.time)


def _play(session: Session, *, speed: float, control: bool, asked: bool, on_stderr: bool) -> None:
    from sre.tabletop.desk import TerminalDesk
    from sre.tabletop.play import play

    exercise = session.exercise
    with TerminalDesk(for_control=control, folder=session.played.folder, on_stderr=on_stderr) as desk:
        word = "goes on" if asked else "begins"
        desk.say(f"{session.id}: {exercise.name} {word}, {exercise.play_min} minutes of play. ? shows the keys.")
        play(session, desk, speed=speed)


def _finish(session: Session, *, as_json: bool) -> None:
    from sre.console import print_json

    progress = session.progress
    if as_json:
        print_json(
            {
                "session": session.id,
                "exercise": session.exercise.name,
                "ended": progress.is_ended,
                "elapsed_s": round(session.elapsed_s(), 3),
                "released": list(progress.released),
                "skipped": list(progress.skipped),
                "answers": len(progress.answers),
                "ratings": {about: rated.rating for about, rated in progress.ratings.items()},
            }
        )
        return
    typer.echo(f"{session.id}: {len(progress.released)} injects out, {len(progress.answers)} answers noted")
    verb = "sre tabletop close" if progress.is_ended else "sre tabletop run --resume"
    typer.echo(f"Next: {verb} {session.id}")

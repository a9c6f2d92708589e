"""`sre runbook exec`: a runbook walked step by step."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.options import DEFAULT_STATE_DIR, Json, StateDir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sre.incidents.events import Draft
    from sre.incidents.store.model import IncidentStore
    from sre.runbooks.knowledge.model import Page
    from sre.runbooks.walk import Limits, Reader, Stop, Walked


def execute(
    name: Annotated[str, typer.Argument(help="A runbook: an alert's name or a failure mode.", metavar="NAME")],
    incident: Annotated[
        str | None, typer.Option("--incident", help="Write each step into this incident, for example INC-0001.")
    ] = None,
    yes_read_only: Annotated[
        bool, typer.Option("--yes-read-only", "--auto", help="Run commands that only read without asking.")
    ] = False,
    until: Annotated[
        str | None, typer.Option("--until", help="End after this step: its label (3, B, KA) or name.")
    ] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="A variable of the page, REPLICA=llm-1; repeatable.")
    ] = None,
    kubernetes: Annotated[bool, typer.Option("--kubernetes", help="The steps for a cluster.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds a command that reads may take.")] = 60.0,
    store: Annotated[
        str | None, typer.Option("--store", help="A file or URL; default: $SRE_INCIDENTS_URL, else incidents.sqlite.")
    ] = None,
    actor: Annotated[str | None, typer.Option("--actor", help="Who you are, for the record. Default: $USER.")] = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: Json = False,
) -> None:
    """Walk a runbook: each step with its command and what to expect, run when you say so, and written down.

    What changes something is shown with precondition, blast radius and way back, and runs only when you type its name.
    With --json, or without a terminal, it never runs. Exit 1: a mitigation that was carried out was not verified, or a
    command did not end in time.
    """
    from sre.cli.incident.words import incident_id
    from sre.cli.runbook_reader import Nobody, Terminal
    from sre.console import print_json
    from sre.runbooks.render import any_page_of
    from sre.runbooks.values import platform_values
    from sre.runbooks.variables import checked_values
    from sre.runbooks.walk import Limits, stops_of, up_to

    page = any_page_of(name)
    kept = None if incident is None else incident_id(incident)
    stops = up_to(stops_of(page, "kubernetes" if kubernetes else "local"), until)
    known = {**platform_values(state_dir), **checked_values(values or ())}
    is_seen = not as_json and has_terminal()
    reader: Reader = (
        Terminal(reads_alone=yes_read_only)
        if is_seen
        else Nobody(reads_alone=yes_read_only, tell=lambda text: typer.echo(text, err=as_json))
    )
    done = []
    with _recorder(kept, store, name, actor) as record:
        for walked in _steps(page, stops, reader, known, Limits(read_s=timeout), state_dir):
            record(walked)
            done.append(walked)
    is_well = not any(_is_bad(one) for one in done)
    if as_json:
        print_json(_json(page, done, kept, is_well=is_well, ended=len(done) == len(stops)))
    else:
        typer.echo(_summary(done, kept))
    raise typer.Exit(0 if is_well else 1)


def has_terminal() -> bool:
    """Whether somebody can type."""
    import sys

    return sys.stdin.isatty()


def _steps(
    page: Page, stops: Sequence[Stop], reader: Reader, known: Mapping[str, str], limits: Limits, state_dir: Path
) -> Iterator[Walked]:
    from sre.runbooks.shell import shell_beside
    from sre.runbooks.walk import walk

    return walk(
        page,
        stops,
        reader=reader,
        shells=lambda values: shell_beside(state_dir, values),
        known=known,
        limits=limits,
    )


@contextmanager
def _recorder(
    incident: str | None, store: str | None, page: str, actor: str | None
) -> Iterator[Callable[[Walked], None]]:
    """Writes each step into the incident as soon as it is over; nothing without one. Raises SreError when it is not
    there, before anything has run.
    """
    if incident is None:
        yield lambda _: None
        return
    import time

    from sre.cli.incident.words import login_name
    from sre.incidents.store import open_store
    from sre.incidents.store.address import store_address
    from sre.runbooks.record import link_draft, step_draft

    who = actor or login_name()
    opened = open_store(store_address(Path(), store))
    try:
        begun = link_draft(page, opened.case(incident), at=time.time(), actor=who)
        if begun:
            opened.append(incident, begun)
        yield lambda walked: _write(opened, incident, step_draft(walked, actor=who))
    finally:
        opened.close()


def _write(store: IncidentStore, incident: str, draft: Draft) -> None:
    store.append(incident, (draft,))


def _is_bad(walked: Walked) -> bool:
    """A step that reads is not bad for what it saw; one that was ended, or a change that did not hold, is."""
    step = walked.step
    was_ended = step.exit_code is None and step.verdict in ("ok", "failed")
    return was_ended or (step.is_mutating and step.verdict == "failed")


def _json(page: Page, done: Sequence[Walked], incident: str | None, *, is_well: bool, ended: bool) -> dict[str, object]:
    from dataclasses import asdict

    steps = [
        {
            **asdict(one.step),
            "title": one.stop.title,
            "began_at": one.began_at,
            "ended_at": one.ended_at,
            "why": one.why,
        }
        for one in done
    ]
    return {"ok": is_well, "page": page.name, "incident": incident, "walked_to_the_end": ended, "steps": steps}


def _summary(done: Sequence[Walked], incident: str | None) -> str:
    from collections import Counter

    from sre.reports.formats import plural

    counts = Counter(one.step.verdict for one in done)
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "no step"
    kept = f"written into {incident}" if incident else "not written down: give --incident to keep it"
    return f"\n{plural(len(done), 'step')}: {told}; {kept}"

"""`sre incident verify | anchor`: that nobody changed the record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.incident.options import Store, Workspace
from sre.cli.options import Json

if TYPE_CHECKING:
    from sre.incidents.store.model import Anchor


def verify(
    anchors: Annotated[
        list[str] | None,
        typer.Option("--anchor", metavar="POSITION:HASH", help="What `sre incident anchor` printed once; repeatable."),
    ] = None,
    anchors_file: Annotated[
        Path | None, typer.Option("--anchors", help="A file of them, one a line; # begins a comment.")
    ] = None,
    store: Store = None,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """Compute the whole store again: hashes, order, gaps, and that the lists say what the events say.

    Exit 1 when anything was edited, taken out, put in or moved. What was cut off at the end, or computed anew by one
    who may write the whole database, only an anchor finds that was kept elsewhere (in a report, on paper).
    """
    from dataclasses import asdict

    from sre.cli.incident.anchors import anchors_of
    from sre.cli.incident.opened import store_there
    from sre.cli.incident.terminal import plain
    from sre.console import print_json
    from sre.reports.formats import plural

    known = anchors_of(anchors or [], anchors_file)
    with store_there(workspace, store) as opened:
        found = opened.verify(known)
    if as_json:
        print_json({"ok": not found.problems, "anchors": len(known), **asdict(found)})
    else:
        for problem in found.problems:
            where = f"event {problem.position}" if problem.position else "store"
            of = f" ({problem.incident})" if problem.incident else ""
            typer.echo(plain(f"{where}{of}: {problem.text}"), err=True)
        state = plural(len(found.problems), "problem") if found.problems else "whole"
        told = f"{plural(found.events, 'event')} of {plural(found.incidents, 'incident')}"
        typer.echo(f"{state}: {told}, {plural(len(known), 'anchor')} looked at")
        if found.head is not None and not found.problems:
            typer.echo(f"anchor {_words(found.head)}")
    raise typer.Exit(1 if found.problems else 0)


def anchor(store: Store = None, workspace: Workspace = Path(), as_json: Json = False) -> None:
    """Print the end of the chain, POSITION:HASH. Kept elsewhere, it proves later that nothing before it was changed."""
    from dataclasses import asdict

    from sre.cli.incident.opened import store_there
    from sre.console import print_json
    from sre.errors import NoData

    with store_there(workspace, store) as opened:
        end = opened.anchor()
    if end is None:
        raise NoData("the store holds no event yet: there is nothing to anchor")
    if as_json:
        print_json({**asdict(end), "anchor": _words(end)})
    else:
        typer.echo(_words(end))


def _words(end: Anchor) -> str:
    return f"{end.position}:{end.hash}"

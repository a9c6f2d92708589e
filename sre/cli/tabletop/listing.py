"""`sre tabletop list` and `show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from sre.cli.gameday.options import Workspace
from sre.cli.options import Json
from sre.cli.tabletop.close import Session
from sre.cli.tabletop.options import Store, opened

if TYPE_CHECKING:
    from sre.incidents.case import Case


def list_(store: Store = None, workspace: Workspace = None, as_json: Json = False) -> None:
    """Sessions of the incident store, the newest first."""
    from sre.console import print_json
    from sre.incidents.codec import encode

    with opened(store, workspace, read_only=True) as kept:
        heads = kept.heads(origins=("tabletop",))
    if as_json:
        print_json({"sessions": [encode(head) for head in heads]})
        return
    if not heads:
        typer.echo("no session yet: sre tabletop run PACKAGE")
        return
    from rich.console import Console
    from rich.table import Table

    from sre.cli.incident.terminal import words
    from sre.reports.formats import date_time

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("session", "status", "opened", "exercise"):
        table.add_column(column, overflow="fold")
    for head in heads:
        table.add_row(head.id, head.status, date_time(head.opened_at), words(head.title))
    Console(highlight=False).print(table)


def show(session: Session, store: Store = None, workspace: Workspace = None, as_json: Json = False) -> None:
    """One session: what came out, what was said, ratings, actions and approvals."""
    from sre.console import print_json

    with opened(store, workspace, read_only=True) as kept:
        case = kept.case(session)
    data = _data(case)
    if as_json:
        print_json(data)
    else:
        _print(case)


def _data(case: Case) -> dict[str, object]:
    from sre.incidents.codec import encode
    from sre.tabletop.progress import progress_of
    from sre.tabletop.session import package_of

    progress = progress_of(case.events)
    return {
        "session": case.head.id,
        "title": case.head.title,
        "status": case.head.status,
        "package": package_of(case).target,
        "ended": progress.is_ended,
        "played_s": round(progress.elapsed_s, 3),
        "participants": list(progress.participants),
        "released": dict(progress.released),
        "skipped": list(progress.skipped),
        "answers": [encode(one) for one in progress.answers],
        "ratings": {about: encode(one) for about, one in progress.ratings.items()},
        "actions": [encode(one) for one in case.items],
        "approvals": [encode(one) for one in case.approvals],
    }


def _print(case: Case) -> None:
    from rich.console import Console

    from sre.cli.incident.terminal import words
    from sre.reports.formats import seconds
    from sre.tabletop.progress import progress_of
    from sre.tabletop.session import package_of

    progress, console = progress_of(case.events), Console(highlight=False, soft_wrap=True)
    state = "ended" if progress.is_ended else "can be resumed"
    console.print(words(f"{case.head.id}  {case.head.title}  [{case.head.status}]"))
    console.print(words(f"  package {package_of(case).target}"))
    console.print(
        words(
            f"  played {seconds(progress.elapsed_s)}, {state}; took part: {', '.join(progress.participants) or 'n/a'}"
        )
    )
    for row in progress.rows:
        console.print(words(f"  {int(row.at_s) // 60:3}:{int(row.at_s) % 60:02}  {row.by}: {row.text}"))
    for about, rated in progress.ratings.items():
        console.print(words(f"  rated {about} {rated.rating} {rated.remark}"))
    for item in case.items:
        console.print(words(f"  {item.item} {item.status}, {item.owner}, due {item.due or 'n/a'}: {item.title}"))
    for word in case.approvals:
        console.print(
            words(f"  {word.decision} by {word.name} ({word.role}), sha256 {word.sha256[:12]} {word.comment}")
        )

"""`sre incident item add | set` and `sre incident actions`: what is to be done, by whom, until when."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sre.cli.incident.options import Actor, Id, Store, Workspace
from sre.cli.options import Json

if TYPE_CHECKING:
    from sre.incidents.case import Case, Item
    from sre.incidents.events import Draft
    from sre.incidents.lifecycle import Saying

State = Literal["open", "started", "done", "dropped"]
Due = Annotated[str | None, typer.Option("--due", help="Day it is due, 2026-03-01.")]
Start = Annotated[str | None, typer.Option("--start", help="Day it begins.")]


def add(
    incident: Id,
    title: Annotated[str, typer.Argument(help="What is to be done.")],
    owner: Annotated[str, typer.Option("--owner", help="Who does it.")],
    due: Due = None,
    start: Start = None,
    note: Annotated[str, typer.Option("--note", help="What else there is to say.")] = "",
    actor: Actor = None,
    store: Store = None,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """Add a follow-up action; it gets the next number of its incident, A1, A2 ..."""
    from sre.cli.incident.changing import change
    from sre.cli.incident.words import iso_day
    from sre.incidents.events import ItemSet

    first = None if start is None else iso_day(start, "--start")
    last = None if due is None else iso_day(due, "--due")

    def step(case: Case, saying: Saying) -> list[Draft]:
        name = _next_name([item.item for item in case.items])
        return [saying.draft(ItemSet(name, title, owner, first, last, "open", note), f"{name} {title} ({owner})")]

    change(incident, step, "now", "", actor, store, workspace, as_json)


def set_(
    incident: Id,
    item: Annotated[str, typer.Argument(help="Its number, A1.")],
    status: Annotated[State | None, typer.Option("--status", help="How far it is.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Who does it.")] = None,
    title: Annotated[str | None, typer.Option("--title", help="What is to be done.")] = None,
    due: Due = None,
    start: Start = None,
    note: Annotated[str | None, typer.Option("--note", help="What else there is to say.")] = None,
    actor: Actor = None,
    store: Store = None,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """Change a follow-up action; what is not named stays as it is."""
    from sre.cli.incident.changing import change
    from sre.cli.incident.words import iso_day
    from sre.errors import SreError

    said = {
        "status": status,
        "owner": owner,
        "title": title,
        "note": note,
        "start": None if start is None else iso_day(start, "--start"),
        "due": None if due is None else iso_day(due, "--due"),
    }
    changes = {name: value for name, value in said.items() if value is not None}
    if not changes:
        raise SreError("nothing to change: give --status, --owner, --title, --due, --start or --note")
    change(
        incident,
        lambda case, saying: [_changed(case, item, changes, saying)],
        "now",
        "",
        actor,
        store,
        workspace,
        as_json,
    )


def actions(
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what is overdue; exit 1 when anything is.")] = False,
    owner: Annotated[str | None, typer.Option("--owner", help="Only theirs.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what is done or dropped.")] = False,
    store: Store = None,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """List follow-up actions of all incidents and exercises, what is overdue first. Exit 1 with --overdue and any."""
    from datetime import UTC, datetime

    from sre.cli.incident.action_table import action_table, in_order
    from sre.cli.incident.opened import store_to_read
    from sre.console import print_json
    from sre.incidents.codec import encode

    today = datetime.now(UTC).date().isoformat()
    with store_to_read(workspace, store) as opened:
        items = () if opened is None else opened.items()
    wanted = [item for item in items if _is_wanted(item, today, overdue=overdue, owner=owner, everything=everything)]
    found = in_order(wanted, today)
    if as_json:
        rows = [{**encode(item), "overdue": item.is_overdue(today)} for item in found]
        print_json({"ok": not (overdue and found), "today": today, "actions": rows})
    elif found:
        action_table(found, today)
    else:
        typer.echo("no action is overdue" if overdue else "no action is open")
    raise typer.Exit(1 if overdue and found else 0)


def _is_wanted(item: Item, today: str, *, overdue: bool, owner: str | None, everything: bool) -> bool:
    if owner is not None and item.owner.casefold() != owner.casefold():
        return False
    return item.is_overdue(today) if overdue else everything or item.status in ("open", "started")


def _next_name(names: Sequence[str]) -> str:
    numbers = [int(name[1:]) for name in names if name[:1] == "A" and name[1:].isdecimal()]
    return f"A{max(numbers, default=0) + 1}"


def _changed(case: Case, name: str, changes: dict[str, Any], saying: Saying) -> Draft:
    from dataclasses import fields, replace

    from sre.errors import SreError
    from sre.incidents.events import ItemSet

    found = next((item for item in case.items if item.item.casefold() == name.casefold()), None)
    if found is None:
        known = ", ".join(item.item for item in case.items) or "none"
        raise SreError(f"{case.head.id} has no action {name!r}: it has {known}")
    now = ItemSet(**{field.name: getattr(found, field.name) for field in fields(ItemSet)})
    words = ", ".join(f"{field} {value}" for field, value in changes.items())
    return saying.draft(replace(now, **changes), f"{found.item} {words}")
